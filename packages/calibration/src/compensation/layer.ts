/** One layer by GPTQ: its linears in the order in which they run, each on the inputs that the quantised ones before make. */
import type { Backend } from '@spikellm/backend';
import {
  inputSites,
  type InputSite,
  type LayerGraph,
  type LayerWeights,
  type SpikingConfig,
  type Weight,
} from '@spikellm/graph';
import { runLayer, type LayerPassOptions } from '../layer-pass.ts';
import type { LayerSteps } from '../steps.ts';
import type { ActivationStream } from '../streams.ts';
import { denseOf } from '../transforms/apply-scales.ts';
import { factorHessian, type FactoredHessian } from './factor.ts';
import { describeSite, observeHessian } from './hessian.ts';
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
  readonly weight: Weight;
  /** As in `LinearLog`. */
  readonly error: number;
}
/** Quantises the weight [O, C] of a linear whose inputs have this Hessian. */
export type WeightMethod = (
  backend: Backend,
  weight: Float32Array,
  hessian: FactoredHessian,
) => Promise<QuantisedWeight>;

export interface CompensateLayerOptions extends LayerPassOptions {
  readonly own: Pick<GptqSettings, 'damping' | 'actOrder'>;
  readonly layer: LayerGraph;
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
export async function compensateLayer(options: CompensateLayerOptions): Promise<LayerWeights> {
  const { layer, backend, steps, method, signal, onLinear } = options;
  let weights: LayerWeights = { ...options.weights, kvSteps: steps?.kv };
  for (const site of inputSites(layer)) {
    const hessian = await siteHessian(options, weights, site);
    const linears = new Map(weights.linears);
    for (const { name } of site.readers) {
      signal?.throwIfAborted();
      const linear = linears.get(name)!;
      const float = denseOf(linear).data as Float32Array;
      const { weight, error } = await method(backend, float, hessian);
      linears.set(name, { ...linear, weight, steps: steps?.linears.get(name) });
      onLinear?.({ linear: name, error, damping: hessian.damping });
    }
    weights = { ...weights, linears };
  }
  return weights;
}

/** The factored Hessian of what the linears of a site read. */
async function siteHessian(
  options: CompensateLayerOptions,
  weights: LayerWeights,
  site: InputSite,
): Promise<FactoredHessian> {
  const { backend, layer, spiking, inputs: from, own, onNotice } = options;
  const { damping, actOrder } = own;
  const hessian = await runLayer(options, layer, weights, { spiking, from, observe: observeHessian(site) });
  const where = describeSite(layer, site);
  return factorHessian(hessian!, { backend, damping, actOrder, where, onNotice });
}
