/** Ternary weights where single weights, not channels, get more steps: a map says which, so no packed format has them. */
import { clamp, rint } from '@spikellm/backend';
import type { FactoredHessian } from '../gptq/factor.ts';
import type { ColumnQuantiser } from '../gptq/sweep.ts';
import { ternaryScale } from '../gptq/ternary-scale.ts';

/** @param scores - of each weight [O, C]; the `salient` greatest share of them get `steps` steps, all others one */
export function createElementQuantiser(
  weights: Float32Array,
  scores: Float64Array,
  { order }: FactoredHessian,
  salient: number,
  steps: number,
): ColumnQuantiser {
  const C = order.length;
  const O = weights.length / C;
  const count = Math.round(salient * scores.length);
  const edge = count === 0 ? Infinity : scores.toSorted()[scores.length - count];
  const stepsOf = Uint8Array.from(scores, (score) => (score >= edge ? steps : 1));
  const scale = (o: number, T: number): number => {
    const row = weights.subarray(o * C, (o + 1) * C);
    return ternaryScale(
      row.filter((_, c) => stepsOf[o * C + c] === T),
      T,
    );
  };
  const scales = Array.from({ length: O }, (_, o) => ({ one: scale(o, 1), more: scale(o, steps) }));
  return {
    block: 1,
    column(n, values, quantised) {
      for (let o = 0; o < O; o++) {
        const T = stepsOf[o * C + order[n]];
        const D = T === steps ? scales[o].more : scales[o].one;
        quantised[o] = D * clamp(rint(values[o] / D), -T, T);
      }
    },
  };
}
