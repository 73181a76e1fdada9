import type { HostTensor } from '@spikellm/backend';
import type { LayerWeights, LinearGroup } from '@spikellm/graph';
import type { LayerStatistics } from './statistics.ts';

const ALPHA = 0.5;
const FLOOR = 1e-5;

/**
 * SmoothQuant (arXiv 2211.10438): moves the size of activation channels into the weights that read them, for the pairs
 * norm -> q, k, v and norm -> gate, up. s_j = max|x_j|^alpha / max_o |W_oj|^(1-alpha) over all readers, alpha 0.5; the
 * norm is divided by s, the columns are multiplied. The float layer computes the same as before.
 */
export function smoothLayer(weights: LayerWeights, { absmax }: LayerStatistics): LayerWeights {
  const qkv = smoothingScales(weights, 'qkv', absmax.qkv);
  const gateUp = smoothingScales(weights, 'gate_up', absmax.gate_up);
  const scalesOf: Partial<Record<LinearGroup, Float64Array>> = { qkv, gate_up: gateUp };
  return {
    ...weights,
    inputNorm: mapTensor(weights.inputNorm, (value, j) => value / qkv[j]),
    mlpNorm: mapTensor(weights.mlpNorm, (value, j) => value / gateUp[j]),
    linears: weights.linears.map((linear) => {
      const scales = scalesOf[linear.entry.group];
      if (scales === undefined) return linear;
      const { inputs } = linear.entry;
      return {
        ...linear,
        weight: mapTensor(linear.weight as HostTensor, (value, i) => value * scales[i % inputs]),
      };
    }),
  };
}

function smoothingScales({ linears }: LayerWeights, group: LinearGroup, absmax: Float64Array): Float64Array {
  const largest = new Float64Array(absmax.length);
  for (const { entry, weight } of linears) {
    if (entry.group !== group) continue;
    const data = (weight as HostTensor).data as Float32Array;
    for (let i = 0; i < data.length; i++) {
      largest[i % entry.inputs] = Math.max(largest[i % entry.inputs], Math.abs(data[i]));
    }
  }
  return absmax.map((x, j) =>
    Math.max(Math.max(x, FLOOR) ** ALPHA / Math.max(largest[j], FLOOR) ** (1 - ALPHA), FLOOR),
  );
}

const mapTensor = ({ data, dims }: HostTensor, of: (value: number, index: number) => number): HostTensor => ({
  type: 'float32',
  dims,
  data: (data as Float32Array).map(of),
});
