/** What GPTQ takes. */
import { inputSites } from '@spikellm/graph';
import { garbageBytes, keptBytes } from '../sizing/waiting.ts';
import type { LayerBytes, PipelineSize } from '../sizing/pipeline-size.ts';
import { kindOf } from './kinds.ts';
import { compensationSeconds, measureCompensation, type CompensationRates } from './rates.ts';
import { hessianSites } from './sites.ts';
import type { GptqSettings } from './settings.ts';

const F32 = 4;

export const compensationSize: PipelineSize<GptqSettings, CompensationRates> = {
  folds: false,
  rowBytes: (rows, own) => kindOf(own).rowBytes(rows, own),
  parts: (bytes) => [
    { part: 'compensate', bytes: bytes.streams + Math.max(bytes.reading, compensationBytes(bytes)) },
  ],
  measure: measureCompensation,
  /** A pass for each Hessian, one of what was written, and one more where channels are scored. */
  seconds({ layer, weights, tokens, scores, rates }, _, measured) {
    const passes = (inputSites(layer).length + 1) * rates.forward + (scores ? rates.scored : 0);
    return passes * tokens * weights + compensationSeconds(layer, tokens, measured);
  },
};

/**
 * The most bytes that a layer takes, but for streams. Its float weights, W bytes, stay in host memory; of a group of C
 * inputs, H = 4 C^2, it is the most of three turns:
 *
 * - A pass. On the device the linears that are not quantised yet, in float, the others packed, and H, which is then read.
 * - The factor R of H. H in host memory, H and R on the device, and between them 2 H for the same in float64.
 * - The sweep of a weight. R in host memory, a quarter of it twice where it carries errors, the weight three times in
 *   columns and twice in codes.
 *
 * The largest float64 matrix is kept by the device from then on.
 */
function compensationBytes({ layer: graph, layers, packed, forward, before }: LayerBytes): number {
  const groups = hessianSites(graph);
  const hessians = groups.map(({ inputs }) => F32 * inputs ** 2);
  const float64 = 2 * Math.max(...hessians);
  const largest = Math.max(...groups.flatMap(({ inputs, outputs }) => outputs.map((O) => inputs * O)));
  const weights = groups.map(({ inputs, outputs }) => outputs.reduce((sum, O) => sum + F32 * O * inputs, 0));
  const layer = weights.reduce((sum, bytes) => sum + bytes, 0);
  let [most, rest] = [0, layer];
  for (const [i, { inputs, outputs }] of groups.entries()) {
    const H = hessians[i];
    const swept = (3 * F32 + 2) * inputs * Math.max(...outputs);
    most = Math.max(most, rest + packed + forward + 2 * H, 3 * H, 1.5 * H + swept);
    rest -= weights[i];
  }
  const used = layer + hessians.reduce((sum, H) => sum + 2 * H, 0);
  // Of weights, the last on the device and the last in a sweep wait too.
  const waiting = keptBytes(before + used) + garbageBytes(layers * used) + 2 * F32 * largest;
  return layer + float64 + most + waiting;
}
