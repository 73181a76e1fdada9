import { signal } from '@preact/signals';
import type { WrittenText } from '../../engine/comparison.ts';
import { ask, isStopped, ready, sentenceOf } from '../../engine/client.ts';
import { VARIANTS, type Variant } from '../../engine/contract.ts';
import { TextField } from '../../ui/controls.tsx';
import { text, urlSignal } from '../../url-state.ts';

const prompt = urlSignal('backends', 'prompt', 'Once upon a time there was a', text);

type Outcome = { readonly texts: readonly WrittenText[] } | { readonly failure: string };
const outcomes = signal<ReadonlyMap<Variant, Outcome>>(new Map());

async function write(): Promise<void> {
  outcomes.value = new Map();
  for (const variant of VARIANTS) {
    try {
      const texts = await ask('writing a text', (engine) => engine.writeOn(variant, prompt.value));
      outcomes.value = new Map(outcomes.value).set(variant, { texts });
    } catch (error) {
      if (isStopped(error)) return;
      outcomes.value = new Map(outcomes.value).set(variant, { failure: sentenceOf(error) });
    }
  }
}

/** The first token that is another one than in the text that all are held against; undefined where there is none. */
function firstDifference(ids: readonly number[], others: readonly number[]): number | undefined {
  const length = Math.max(ids.length, others.length);
  for (let i = 0; i < length; i++) if (ids[i] !== others[i]) return i;
  return undefined;
}

/** The same prompt on every backend, the likeliest token each time. */
export function SameText() {
  const found = [...outcomes.value];
  const [first] = found.flatMap(([, outcome]) => ('texts' in outcome ? [outcome.texts] : []));
  return (
    <section class="panel" aria-labelledby="same-text">
      <h2 id="same-text">The same text everywhere</h2>
      <p class="soft">
        Every backend continues the prompt with the likeliest token, 48 times, in float and, once there is a
        spiking model, in spikes.
      </p>
      <div class="row ends">
        <TextField label="Prompt" signal={prompt} />
        <button
          type="button"
          class="main"
          disabled={!ready.value || prompt.value.trim() === ''}
          onClick={() => void write()}
        >
          Write on all
        </button>
      </div>
      {found.length > 0 && (
        <div class="scroll">
          <table>
            <caption>Held against the first that ran</caption>
            <thead>
              <tr>
                <th scope="col">backend</th>
                <th scope="col">model</th>
                <th scope="col">agreement</th>
                <th scope="col" class="prose">
                  text
                </th>
              </tr>
            </thead>
            <tbody>
              {found.map(([variant, outcome]) =>
                'failure' in outcome ? (
                  <tr key={variant}>
                    <th scope="row">{variant}</th>
                    <td class="prose" colSpan={3}>
                      {outcome.failure}
                    </td>
                  </tr>
                ) : (
                  outcome.texts.map(({ side, ids, text: written }, i) => {
                    const at = firstDifference(ids, first[i].ids);
                    return (
                      <tr key={`${variant} ${side}`}>
                        <th scope="row">{variant}</th>
                        <td>{side}</td>
                        <td class={at === undefined ? 'has' : 'lacks'}>
                          {at === undefined ? 'same' : `differs from token ${at + 1} on`}
                        </td>
                        <td class="prose">{written}</td>
                      </tr>
                    );
                  })
                ),
              )}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
