/** Which steps are revealed: a slider, a step back and forth, and play. */
import { useSignal } from '@preact/signals';
import { useEffect, useId } from 'preact/hooks';
import { MOST_STEPS, revealed, shown, steps } from './state.ts';

/** Milliseconds of a step that plays. */
const PACE = 600;

/** @param playing - told while steps play, so that they are not read out one by one */
export function StepBar({ onPlaying }: { readonly onPlaying: (playing: boolean) => void }) {
  const id = useId();
  const playing = useSignal(false);
  const still = useSignal(matchMedia('(prefers-reduced-motion: reduce)').matches);
  const T = steps.value;
  const step = shown.value;

  const play = (on: boolean): void => {
    playing.value = on;
    onPlaying(on);
  };
  // All steps stay revealed when there are more of them.
  const reveal = (to: number): void => {
    revealed.value = to >= T ? MOST_STEPS : Math.max(0, to);
  };
  const byHand = (to: number): void => {
    play(false);
    reveal(to);
  };
  useEffect(() => {
    if (!playing.value) return undefined;
    const timer = setTimeout(() => {
      reveal(step + 1);
      if (step + 1 >= T) play(false);
    }, PACE);
    return () => clearTimeout(timer);
  }, [playing.value, step, T]);
  useEffect(() => {
    const media = matchMedia('(prefers-reduced-motion: reduce)');
    const follow = (): void => void (still.value = media.matches);
    media.addEventListener('change', follow);
    return () => media.removeEventListener('change', follow);
  }, []);

  return (
    <div class="step-bar">
      {!still.value && (
        <button
          type="button"
          class="main"
          onClick={() => {
            if (!playing.value && step >= T) reveal(0);
            play(!playing.value);
          }}
        >
          {playing.value ? 'Pause' : 'Play'}
        </button>
      )}
      <button type="button" aria-label="Step back" disabled={step === 0} onClick={() => byHand(step - 1)}>
        ‹
      </button>
      <button type="button" aria-label="Step forward" disabled={step >= T} onClick={() => byHand(step + 1)}>
        ›
      </button>
      <label for={id} class="unseen">
        Step
      </label>
      <input
        id={id}
        type="range"
        min={0}
        max={T}
        value={step}
        aria-valuetext={`${step} of ${T}`}
        onInput={({ currentTarget }) => byHand(currentTarget.valueAsNumber)}
      />
      <output for={id}>
        step {step} of {T}
      </output>
    </div>
  );
}
