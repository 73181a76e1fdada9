/** What GPTQ holds while it is at one layer. */
import { layerLinears, type DecoderConfig, type LinearGroup } from '@spikellm/graph';
import { garbageBytes, keptBytes } from './waiting.ts';

const F32 = 4;

/** Linears that share an input, and so a Hessian. */
export interface HessianGroup {
  /** C. */
  readonly inputs: number;
  /** Outputs of each linear. */
  readonly outputs: readonly number[];
}

/** In the order in which they are quantised. */
export function hessianGroups(config: DecoderConfig): HessianGroup[] {
  const groups = new Map<LinearGroup, HessianGroup>();
  for (const { group, inputs, outputs } of layerLinears(config, 0)) {
    groups.set(group, { inputs, outputs: [...(groups.get(group)?.outputs ?? []), outputs] });
  }
  return [...groups.values()];
}

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
 *
 * @param packed - bytes of the layer as it is written
 * @param forward - bytes of the activations of a pass
 * @param before - bytes that earlier parts of the run took on the device
 */
export function compensationBytes(
  config: DecoderConfig,
  packed: number,
  forward: number,
  before: number,
): number {
  const groups = hessianGroups(config);
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
  const waiting = keptBytes(before + used) + garbageBytes(config.layers * used) + 2 * F32 * largest;
  return layer + float64 + most + waiting;
}
