import { MEASURED, type Measured, type Measurement } from '../../engine/measured.ts';
import { saveCsv } from '../../ui/export.ts';
import { bytes } from '../../ui/format.ts';
import { results, wantedResults, type Results } from './state.ts';

const seconds = (value: number): string => value.toFixed(value < 10 ? 1 : 0);

const COLUMNS: readonly [head: string, cell: (row: Measurement) => string][] = [
  ['perplexity', ({ perplexity }) => perplexity.toFixed(3)],
  ['bits per weight', ({ bitsPerWeight }) => bitsPerWeight.toFixed(2)],
  ['average steps T', ({ averageSteps }) => averageSteps?.toFixed(3) ?? '-'],
  ['bits per activation', ({ bitsPerActivation }) => bitsPerActivation.toFixed(2)],
  ['size', (row) => bytes(row.bytes)],
  ['measured in, s', (row) => seconds(row.seconds)],
];

const nameOf = ({ title, rounded }: Results, which: Measured): string =>
  ({ float: 'float', rounded, spiking: title })[which];

/** Perplexity of the three models, with what each costs. */
export function ResultTable() {
  const { value: shown } = results;
  if (shown === undefined) {
    return (
      <p class="soft">
        Not measured yet. A run takes a few seconds with round-to-nearest, and minutes with OmniQuant.
      </p>
    );
  }
  const { rows, text, of, madeIn } = shown;
  const [first] = Object.values(rows);
  const found = MEASURED.flatMap((which) => (rows[which] ? [[which, rows[which]] as const] : []));
  return (
    <>
      <div class="scroll" tabIndex={0} role="region" aria-label="Perplexities">
        <table class="perplexity">
          <thead>
            <tr>
              <th scope="col">model</th>
              {COLUMNS.map(([head]) => (
                <th key={head} scope="col">
                  {head}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {MEASURED.map((which) => {
              const row = rows[which];
              return (
                <tr key={which} data-model={which} class={which === 'spiking' ? 'strong' : undefined}>
                  <th scope="row">{nameOf(shown, which)}</th>
                  {COLUMNS.map(([head, cell]) => (
                    <td key={head}>{row ? cell(row) : '...'}</td>
                  ))}
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
      <p class="help">
        {first &&
          `On ${text === 'bundled' ? 'the bundled evaluation text' : 'the text in the box'}: ${first.tokens} tokens predicted in ${first.windows} windows of ${first.window}. `}
        Bits per weight count codes, scales, zero points and steps; bits per activation are those that are
        sent, bits of a spike times average steps.
        {madeIn != null && ` The spiking model was made in ${seconds(madeIn)} s.`}{' '}
        <button
          type="button"
          class="quiet"
          disabled={found.length === 0}
          onClick={() =>
            saveCsv(
              'perplexity',
              found.map(([which, row]) => ({ model: nameOf(shown, which), ...row })),
            )
          }
        >
          CSV<span class="unseen"> of the perplexities</span>
        </button>
      </p>
      {of !== wantedResults.value && (
        <p class="notice">Settings or text have changed since; the numbers are those of the names above.</p>
      )}
    </>
  );
}
