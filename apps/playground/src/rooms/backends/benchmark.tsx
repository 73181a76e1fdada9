import { signal } from '@preact/signals';
import type { VariantRates } from '../../engine/comparison.ts';
import { ask, isStopped, model, ready, sentenceOf } from '../../engine/client.ts';
import { VARIANTS, type Variant } from '../../engine/contract.ts';
import { save } from '../../ui/export.ts';
import { rate } from '../../ui/format.ts';
import { Notice } from '../../ui/notice.tsx';

const picked = signal<ReadonlySet<Variant>>(new Set<Variant>(['wasm', 'wasm-one-thread']));
const measured = signal<ReadonlyMap<Variant, VariantRates>>(new Map());
const failure = signal<string | undefined>(undefined);
const copied = signal(false);

async function measure(): Promise<void> {
  failure.value = undefined;
  copied.value = false;
  for (const variant of VARIANTS.filter((name) => picked.value.has(name))) {
    try {
      const rates = await ask('measuring', (engine) => engine.measure(variant));
      measured.value = new Map(measured.value).set(variant, rates);
    } catch (error) {
      if (isStopped(error)) return;
      failure.value = sentenceOf(error);
    }
  }
}

/** All that was measured, for others to hold theirs against. */
const report = (): string =>
  `${JSON.stringify(
    {
      date: new Date().toISOString(),
      browser: navigator.userAgent,
      hardwareThreads: navigator.hardwareConcurrency,
      isolated: crossOriginIsolated,
      model: model.value,
      results: [...measured.value.values()],
    },
    undefined,
    2,
  )}\n`;

function pick(variant: Variant, take: boolean): void {
  const next = new Set(picked.value);
  if (take) next.add(variant);
  else next.delete(variant);
  picked.value = next;
}

/** Tokens and bytes per second of the backends that the reader picks. */
export function Benchmark() {
  const found = [...measured.value.values()];
  return (
    <section class="panel" aria-labelledby="benchmark">
      <h2 id="benchmark">How fast they are here</h2>
      <p class="soft">
        The open float model, and a spiking 4-bit linear of one token over 256 MiB of weights. A page shares
        its machine: run it twice before you believe a difference. The reference is slow on purpose: it is the
        definition.
      </p>
      <fieldset class="row">
        <legend class="unseen">Backends to measure</legend>
        {VARIANTS.map((variant) => (
          <label key={variant} class="pick">
            <input
              type="checkbox"
              checked={picked.value.has(variant)}
              onChange={({ currentTarget }) => pick(variant, currentTarget.checked)}
            />
            {variant}
          </label>
        ))}
        <button
          type="button"
          class="main"
          disabled={!ready.value || picked.value.size === 0}
          onClick={() => void measure()}
        >
          Measure
        </button>
      </fieldset>
      {failure.value !== undefined && <Notice kind="error">{failure.value}</Notice>}
      {found.length > 0 && (
        <>
          <div class="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">backend</th>
                  <th scope="col">decoding, tokens/s</th>
                  <th scope="col">prompt, tokens/s</th>
                  <th scope="col">weights, GB/s (range)</th>
                  <th scope="col">device</th>
                </tr>
              </thead>
              <tbody>
                {found.map(({ variant, device, decode, prompt, stream }) => (
                  <tr key={variant}>
                    <th scope="row">{variant}</th>
                    <td>{rate(decode)}</td>
                    <td>{rate(prompt)}</td>
                    <td>
                      {rate(stream.median)} ({rate(stream.min)} to {rate(stream.max)})
                    </td>
                    <td>{device}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <p class="row">
            <button type="button" onClick={() => save('spikellm-backends.json', new Blob([report()]))}>
              Save as JSON
            </button>
            <button
              type="button"
              onClick={() => void navigator.clipboard.writeText(report()).then(() => (copied.value = true))}
            >
              Copy as JSON
            </button>
            <span class="soft" role="status">
              {copied.value ? 'Copied.' : ''}
            </span>
          </p>
        </>
      )}
    </section>
  );
}
