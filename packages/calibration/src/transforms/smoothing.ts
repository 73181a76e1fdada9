import type { HostTensor } from '@spikellm/backend';
import type { DecoderConfig, LayerWeights, LinearGroup, Loan } from '@spikellm/graph';
import { applyScales } from './equivalence.ts';
import type { LayerSizes } from './watch.ts';

const ALPHA = 0.5;
const FLOOR = 1e-5;

/**
 * SmoothQuant (arXiv 2211.10438): moves the size of activation channels into the weights that read them, for the pairs
 * norm -> q, k, v and norm -> gate, up. The float layer computes the same as before.
 */
export function smoothLayer(
  weights: LayerWeights,
  config: DecoderConfig,
  { absmax }: LayerSizes,
  allocate?: Loan['allocate'],
): LayerWeights {
  const scales = {
    qkv: smoothingScales(absmax.qkv, largestWeights(weights, 'qkv'), ALPHA),
    gateUp: smoothingScales(absmax.gate_up, largestWeights(weights, 'gate_up'), ALPHA),
  };
  return applyScales(weights, config, scales, allocate);
}

/** s_j = max|x_j|^alpha / max_o |W_oj|^(1 - alpha), each maximum and the result at least 1e-5. */
export function smoothingScales(
  largestInputs: Float64Array,
  largestReaders: Float64Array,
  alpha: number,
): Float64Array {
  return largestInputs.map((x, j) =>
    Math.max(Math.max(x, FLOOR) ** alpha / Math.max(largestReaders[j], FLOOR) ** (1 - alpha), FLOOR),
  );
}

/** max_o |W_oj| over all linears of a group, [C]. */
export function largestWeights({ linears }: LayerWeights, group: LinearGroup): Float64Array {
  const members = linears.filter(({ entry }) => entry.group === group);
  const { inputs } = members[0].entry;
  const largest = new Float64Array(inputs);
  for (const { weight } of members) {
    const data = (weight as HostTensor).data as Float32Array;
    for (let i = 0; i < data.length; i++) {
      largest[i % inputs] = Math.max(largest[i % inputs], Math.abs(data[i]));
    }
  }
  return largest;
}
