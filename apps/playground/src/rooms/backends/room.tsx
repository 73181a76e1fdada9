import { backend, backendChoice } from '../../engine/client.ts';
import { VARIANT_TITLES, VARIANTS, type BackendChoice } from '../../engine/contract.ts';
import { Working } from '../../ui/working.tsx';
import './backends.css';
import { Benchmark } from './benchmark.tsx';
import { Browser } from './browser.tsx';
import { SameText } from './same-text.tsx';

const CHOICES: readonly BackendChoice[] = ['auto', ...VARIANTS];

export function Room() {
  return (
    <>
      <h1>Backends</h1>
      <p class="soft">
        A backend runs the kernels: one table says what each computes, and every backend is held against it.
        Codes and integer sums are equal bit for bit on all of them; only the order of float sums differs.
      </p>
      <div class="stack spaced">
        <Choice />
        <Working />
        <Browser />
        <SameText />
        <Benchmark />
      </div>
    </>
  );
}

function Choice() {
  const { value: opened } = backend;
  return (
    <section class="panel" aria-labelledby="taken">
      <h2 id="taken">In use</h2>
      <p>
        {opened ? (
          <>
            <strong>{opened.report.device}</strong>, {opened.reason}.
          </>
        ) : (
          'None is open.'
        )}
      </p>
      <fieldset class="choices">
        <legend class="unseen">Backend to use</legend>
        {CHOICES.map((choice) => (
          <label key={choice} class="choice">
            <input
              type="radio"
              name="backend"
              value={choice}
              checked={backendChoice.value === choice}
              onChange={() => (backendChoice.value = choice)}
            />
            <span>
              {choice === 'auto' ? 'Automatic' : VARIANT_TITLES[choice]}
              {opened && choice === opened.variant && <span class="tag">in use</span>}
            </span>
          </label>
        ))}
      </fieldset>
      <p class="help">
        WebGPU is taken by name only: it runs models, and does not train, compensate errors or rotate.
      </p>
    </section>
  );
}
