/** Input sequences to start from. All values are multiples of 1/8, so that every sum of them is exact. */
import { createRandom } from '@spikellm/graph';

export const PRESETS = ['sine', 'constant', 'ramp', 'noise', 'outlier'] as const;
export type Preset = (typeof PRESETS)[number];

/** What an input of one step may be, and the grid on which a pointer or an arrow key moves it. */
export const INPUT = { least: -2, most: 4, unit: 1 / 8 } as const;

/** The multiple of 1/8 next to a value, within what an input may be. */
export const onGrid = (value: number): number =>
  Math.min(INPUT.most, Math.max(INPUT.least, Math.round(value / INPUT.unit) * INPUT.unit)) || 0;

const SHAPES: Record<Preset, (t: number, steps: number) => number> = {
  constant: () => 0.625,
  ramp: (t, steps) => -0.5 + (3 * t) / Math.max(1, steps - 1),
  sine: (t, steps) => 0.5 + 1.5 * Math.sin((2 * Math.PI * (t + 0.5)) / steps),
  noise: () => 0,
  // An activation far above its neighbours, as the outlier channels of a language model have.
  outlier: (t, steps) => (t === Math.floor(steps / 4) ? 4 : 0.25),
};

/** @param seed - of `noise`, which is uniform on [-1, 2] */
export function presetInput(preset: Preset, steps: number, seed: number): number[] {
  if (preset === 'noise') {
    const random = createRandom(seed);
    return Array.from({ length: steps }, () => random.integer(-8, 16) / 8);
  }
  return Array.from({ length: steps }, (_, t) => onGrid(SHAPES[preset](t, steps)));
}
