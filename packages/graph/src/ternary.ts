/** Linears whose weights are spikes of ternary neurons: their tensors in a checkpoint, and how they run. */
import {
  checkTrits,
  countWeightSteps,
  SpikeError,
  tritBytes,
  weightClasses,
  type HostTensor,
} from '@spikellm/backend';
import { readScale, readWeight, type LinearEntry, type TensorSource } from './registry.ts';
import type { TernaryFormat } from './spiking-config.ts';

/** Ternary weights: w[o,c] = scale[o,w] times the sum of the T trits of channel c, w the class of its T. */
export interface TernaryWeight {
  /** T of each channel, uint8 [C]. */
  readonly steps: HostTensor;
  /** uint8 [O, bytes of a row], see `packTrits`. */
  readonly trits: HostTensor;
  /** float32 [O, W]: a column for each T that occurs, rising. */
  readonly scale: HostTensor;
}

/** Names of the tensors that a linear with ternary weights has in place of `weight`. */
export const ternaryNames = (prefix: string) => ({
  steps: `${prefix}.weight_steps`,
  trits: `${prefix}.weight_trits`,
  scale: `${prefix}.weight_scale`,
});

/** Shapes of the trits and scales of a linear whose channels have these weight steps. */
export function ternaryShapes({ outputs }: LinearEntry, steps: ArrayLike<number>) {
  const channels = countWeightSteps(steps, 'ternaryShapes');
  return { trits: [outputs, tritBytes(channels)], scale: [outputs, weightClasses(channels).length] };
}

/** Weight steps of each input channel of a linear. Errors: MISSING, SHAPE, INVALID_ARGUMENT. */
export async function readWeightSteps(
  source: TensorSource,
  { prefix, inputs }: LinearEntry,
  format: TernaryFormat,
  signal?: AbortSignal,
): Promise<HostTensor> {
  const where = ternaryNames(prefix).steps;
  const tensor = await readWeight(source, where, [inputs], signal);
  const steps = tensor.data as Uint8Array;
  const wrong = steps.findIndex((T) => !format.steps.includes(T));
  if (wrong < 0) return tensor;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `steps among ${format.steps.join(', ')}, as weights.steps of config.json has it`,
    received: `${steps[wrong]} at channel ${wrong}`,
  });
}

/** Reads the weights of one linear. Errors: MISSING, SHAPE, INVALID_ARGUMENT (steps, trits, scales). */
export async function readTernary(
  source: TensorSource,
  entry: LinearEntry,
  format: TernaryFormat,
  signal?: AbortSignal,
): Promise<TernaryWeight> {
  const names = ternaryNames(entry.prefix);
  const steps = await readWeightSteps(source, entry, format, signal);
  const shapes = ternaryShapes(entry, steps.data as Uint8Array);
  const trits = await readWeight(source, names.trits, shapes.trits, signal);
  checkTrits(trits.data as Uint8Array, names.trits);
  return { steps, trits, scale: await readScale(source, names.scale, shapes.scale, signal) };
}

/** Attributes and constants of the kernels that take these weights. */
export const ternaryOperands = ({ steps, trits, scale }: TernaryWeight, bias: HostTensor | undefined) => ({
  attributes: { weightChannels: countWeightSteps(steps.data as Uint8Array, 'ternaryOperands') },
  constants: { weightSteps: steps, weight: trits, weightScale: scale, bias },
});
