/** One layer by GPTQ: its linears in the order in which they run, each on the inputs that the quantised ones before make. */
import type { Backend, HostTensor } from '@spikellm/backend';
import {
  layerLinears,
  type LayerWeights,
  type LinearGroup,
  type LinearWeights,
  type SpikingConfig,
} from '@spikellm/graph';
import { runLayer, type LayerPassOptions } from '../layer-pass.ts';
import type { LayerSteps } from '../steps.ts';
import type { ActivationStream } from '../streams.ts';
import { factorHessian, type FactoredHessian } from './factor.ts';
import { describeGroup, watchHessian } from './hessian.ts';
import type { GptqSettings } from './settings.ts';

/** How one linear came out. */
export interface LinearLog {
  /** Such as `self_attn.q_proj`. */
  readonly linear: string;
  /** Sum of (w - q) H (w - q)^T over outputs, H the mean over windows of 2 x^T x with its damping. */
  readonly error: number;
  /** In parts of the mean of the diagonal of H. */
  readonly damping: number;
}

/** A weight as a method leaves it. */
export interface QuantisedWeight {
  /** What takes the place of the float weight. */
  readonly weight: LinearWeights['weight'];
  /** As in `LinearLog`. */
  readonly error: number;
}
/** Quantises the weight [O, C] of a linear whose inputs have this Hessian. */
export type WeightMethod = (
  backend: Backend,
  weight: Float32Array,
  hessian: FactoredHessian,
) => Promise<QuantisedWeight>;

export interface QuantizeLayerOptions extends LayerPassOptions {
  readonly gptq: Pick<GptqSettings, 'damping' | 'actOrder'>;
  readonly index: number;
  readonly weights: LayerWeights;
  /** Spike steps of the activations; absent where those stay in float. */
  readonly steps?: LayerSteps | undefined;
  readonly spiking?: SpikingConfig | undefined;
  /** What enters the layer from those that are quantised. */
  readonly inputs: ActivationStream;
  readonly method: WeightMethod;
  readonly onLinear?: ((log: LinearLog) => void) | undefined;
  readonly onNotice?: ((text: string) => void) | undefined;
}

/**
 * The layer with every linear quantised. Memory holds its weights and the Hessian of one input.
 * Errors: NOT_FINITE for inputs that are not, naming the layer, the linears and the sample.
 */
export async function quantizeLayer(options: QuantizeLayerOptions): Promise<LayerWeights> {
  const { config, backend, index, steps, method, signal, onLinear } = options;
  let weights: LayerWeights = { ...options.weights, kvSteps: steps?.kv };
  for (const group of new Set(layerLinears(config, index).map((entry) => entry.group))) {
    const hessian = await groupHessian(options, weights, group);
    const linears: LinearWeights[] = [];
    for (const linear of weights.linears) {
      const { name } = linear.entry;
      if (linear.entry.group !== group) {
        linears.push(linear);
        continue;
      }
      signal?.throwIfAborted();
      const float = (linear.weight as HostTensor).data as Float32Array;
      const { weight, error } = await method(backend, float, hessian);
      linears.push({ ...linear, weight, steps: steps?.linears.get(name) });
      onLinear?.({ linear: name, error, damping: hessian.damping });
    }
    weights = { ...weights, linears };
  }
  return weights;
}

/** The factored Hessian of what a group of linears reads. */
async function groupHessian(
  options: QuantizeLayerOptions,
  weights: LayerWeights,
  group: LinearGroup,
): Promise<FactoredHessian> {
  const { backend, index, spiking, inputs: from, gptq, onNotice } = options;
  const hessian = await runLayer(options, index, weights, { spiking, from, watch: watchHessian(group) });
  const members = weights.linears.flatMap(({ entry }) => (entry.group === group ? [entry] : []));
  return factorHessian(hessian!, { backend, ...gptq, where: describeGroup(index, members), onNotice });
}
