/** Linears whose weights are spikes of ternary neurons: their tensors in a checkpoint, and how they run. */
import {
  checkTrits,
  countWeightSteps,
  SpikeError,
  tritBytes,
  unpackTrits,
  weightClasses,
  type HostTensor,
} from '@spikellm/backend';
import { readScale, readWeight, type LinearEntry, type TensorSource } from './registry.ts';
import type { TernaryFormat } from './spiking-config.ts';
import {
  eachRow,
  elementBytes,
  elementsAsParts,
  salientElements,
  type ElementSteps,
} from './ternary-elements.ts';

/** Ternary weights: w[o,c] = scale[o,w] times the sum of the T trits of channel c, w the class of its T and its group. */
export interface ChannelWeight {
  /** T of each channel, uint8 [C]. */
  readonly steps: HostTensor;
  /** uint8 [O, bytes of a row], see `packTrits`. */
  readonly trits: HostTensor;
  /** float32 [O, W]: a column for each pair of T and group that occurs, T rising, then groups. */
  readonly scale: HostTensor;
  /** Columns of a group; all of them where it is absent. */
  readonly group?: number | undefined;
}

/** Ternary weights of which single ones have more steps. */
export interface ElementWeight {
  readonly few: number;
  /** Steps of salient weights. */
  readonly more: number;
  /** Which weights are salient, uint8 [O, ceil(C / 8)]; see `PackedElements`. */
  readonly salient: HostTensor;
  /** uint8 [bytes], see `PackedElements`. */
  readonly trits: HostTensor;
  /** float32 [O, 2 groups]: a column for each group of the weights with few steps, then for each of the salient ones. */
  readonly scale: HostTensor;
  /** Columns of a group; all of them where it is absent. */
  readonly group?: number | undefined;
}

export type TernaryWeight = ChannelWeight | ElementWeight;

export const isOfElements = (weight: TernaryWeight): weight is ElementWeight => 'salient' in weight;

/** Names of the tensors that a linear with ternary weights has in place of `weight`: steps or a map, trits, scales. */
export const ternaryNames = (prefix: string) => ({
  steps: `${prefix}.weight_steps`,
  salient: `${prefix}.weight_salient`,
  trits: `${prefix}.weight_trits`,
  scale: `${prefix}.weight_scale`,
});

/** Tensors of a linear as they are in a checkpoint. */
export function ternaryTensors(prefix: string, weight: TernaryWeight): [string, HostTensor][] {
  const names = ternaryNames(prefix);
  return [
    isOfElements(weight) ? [names.salient, weight.salient] : [names.steps, weight.steps],
    [names.trits, weight.trits],
    [names.scale, weight.scale],
  ];
}

/** What says how many steps each weight has, and what follows from it. */
export interface WeightSteps {
  /** T of each channel, uint8 [C], or the map of salient weights, uint8 [O, ceil(C / 8)]; with its name. */
  readonly name: string;
  readonly tensor: HostTensor;
  readonly trits: readonly number[];
  readonly scale: readonly number[];
  /** Mean T of a channel's weights, [C]. */
  readonly means: Float64Array;
}

/** Steps of the weights of a linear. Errors: MISSING, SHAPE, INVALID_ARGUMENT. */
export async function readWeightSteps(
  source: TensorSource,
  { prefix, inputs, outputs }: LinearEntry,
  format: TernaryFormat,
  signal?: AbortSignal,
): Promise<WeightSteps> {
  const names = ternaryNames(prefix);
  if (format.unit === 'element') {
    const tensor = await readWeight(source, names.salient, [outputs, Math.ceil(inputs / 8)], signal);
    const steps = elementSteps(format);
    const map = salientElements(tensor.data as Uint8Array, outputs, inputs);
    const means = new Float64Array(inputs);
    map.forEach((bit, i) => (means[i % inputs] += steps[bit] / outputs));
    const salient = map.reduce((sum, bit) => sum + bit, 0);
    const groups = Math.ceil(inputs / (format.group ?? inputs));
    return {
      name: names.salient,
      tensor,
      trits: [elementBytes(map.length, salient, steps)],
      scale: [outputs, 2 * groups],
      means,
    };
  }
  const tensor = await readWeight(source, names.steps, [inputs], signal);
  const steps = tensor.data as Uint8Array;
  const wrong = steps.findIndex((T) => !format.steps.includes(T));
  if (wrong >= 0) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: names.steps,
      expected: `steps among ${format.steps.join(', ')}, as weights.steps of config.json has it`,
      received: `${steps[wrong]} at channel ${wrong}`,
    });
  }
  const channels = countWeightSteps(steps, names.steps, format);
  return {
    name: names.steps,
    tensor,
    trits: [outputs, tritBytes(channels)],
    scale: [outputs, weightClasses(channels).length],
    means: Float64Array.from(steps),
  };
}

/** The two steps of a format whose unit is the element; parsing has seen to their number. */
const elementSteps = ({ steps: [few, more] }: TernaryFormat): ElementSteps => [few, more];

/** Reads the weights of one linear. Errors: MISSING, SHAPE, INVALID_ARGUMENT (steps, trits, scales). */
export async function readTernary(
  source: TensorSource,
  entry: LinearEntry,
  format: TernaryFormat,
  signal?: AbortSignal,
): Promise<TernaryWeight> {
  const names = ternaryNames(entry.prefix);
  const steps = await readWeightSteps(source, entry, format, signal);
  const trits = await readWeight(source, names.trits, steps.trits, signal);
  checkTrits(trits.data as Uint8Array, names.trits);
  const rest = {
    trits,
    scale: await readScale(source, names.scale, steps.scale, signal),
    group: format.group,
  };
  if (format.unit !== 'element') return { steps: steps.tensor, ...rest };
  const [few, more] = elementSteps(format);
  return { few, more, salient: steps.tensor, ...rest };
}

/** Spikes of the weights of each channel, all outputs together, [C]. */
export function countWeightSpikes(weight: TernaryWeight, C: number): Float64Array {
  const counts = new Float64Array(C);
  const [outputs] = weight.scale.dims;
  const trits = weight.trits.data as Uint8Array;
  // A weight k is sign(k) in |k| of its steps.
  const add = (k: Int8Array): void => k.forEach((value, i) => (counts[i % C] += Math.abs(value)));
  if (isOfElements(weight)) {
    const packed = { salient: weight.salient.data as Uint8Array, trits };
    eachRow(packed, outputs, C, [weight.few, weight.more], add);
  } else add(unpackTrits(trits, outputs, weight.steps.data as Uint8Array));
  return counts;
}

/** Attributes and constants of the kernels that take these weights. @param C - input channels */
export function ternaryOperands(weight: TernaryWeight, C: number, bias: HostTensor | undefined) {
  const { group, scale } = weight;
  const parts = isOfElements(weight) ? 2 : 1;
  const { steps, trits } = isOfElements(weight) ? partsOf(weight, C) : weight;
  const channels = countWeightSteps(steps.data as Uint8Array, 'ternaryOperands', { group, parts });
  return {
    attributes: { weightChannels: channels, weightParts: parts },
    constants: {
      weightSteps: { type: steps.type, data: steps.data, dims: [parts, C] },
      weight: trits,
      weightScale: scale,
      bias,
    },
  };
}

/** Each channel in both parts, with few steps and with more. */
function partsOf({ few, more, salient, trits, scale }: ElementWeight, C: number) {
  const [outputs] = scale.dims;
  const packed = { salient: salient.data as Uint8Array, trits: trits.data as Uint8Array };
  const parts = elementsAsParts(packed, outputs, C, [few, more]);
  const tensor = (data: Uint8Array, ...dims: number[]): HostTensor => ({ type: 'uint8', data, dims });
  return {
    steps: tensor(new Uint8Array(2 * C).fill(few, 0, C).fill(more, C), 2, C),
    trits: tensor(parts, outputs, parts.length / outputs),
  };
}
