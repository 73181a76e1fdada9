import { gatherOrder, SpikeError, type DeviceTensor, type HostTensor, type Runner } from '@spikellm/backend';
import type { LinearEntry, PackedRows, TensorSource } from './registry.ts';
import { packedShape, readScale, readWeight } from './registry.ts';
import type { SpikingConfig } from './spiking-config.ts';
import { FLOAT_BITS } from './spiking-config.ts';
import { readTernary, ternaryOperands, type TernaryWeight } from './ternary.ts';

/** Packed whole-number weights: w[o,c] = (code[o,c] - zero[o]) scale[o]. */
export interface PackedWeight {
  readonly bits: number;
  /** uint8 [O, ceil(C bits / 8)], see `packCodes`. */
  readonly codes: HostTensor;
  /** float32 [O]. */
  readonly scale: HostTensor;
  /** int32 [O]. */
  readonly zero: HostTensor;
}

type AnyWeight = HostTensor | PackedWeight | TernaryWeight;

/** One linear in host memory. */
export interface LinearWeights {
  readonly entry: LinearEntry;
  /** float32 [O, C], or packed. */
  readonly weight: AnyWeight;
  /** float32 [O]. */
  readonly bias?: HostTensor | undefined;
  /** Spike steps of each input channel, uint8 [C]; absent where activations stay in float. */
  readonly steps?: Uint8Array | undefined;
}

export const isPacked = (weight: AnyWeight): weight is PackedWeight => 'codes' in weight;
export const isTernary = (weight: AnyWeight): weight is TernaryWeight => 'trits' in weight;

/** The classes of steps that occur, with 1 always among them. */
export function stepClasses(...all: readonly Uint8Array[]): number[] {
  const found = new Set([1]);
  for (const steps of all) for (const T of steps) found.add(T);
  return [...found].toSorted((a, b) => a - b);
}

/** A host tensor of whole numbers or float32. */
export const hostTensor = (
  type: 'uint8' | 'int32' | 'float32',
  data: Uint8Array | Int32Array | Float32Array,
  dims: readonly number[] = [data.length],
): HostTensor => ({ type, data, dims });

/** Names of the tensors that a spiking linear has in place of `weight`. */
export const packedNames = (prefix: string) => ({
  codes: `${prefix}.weight_codes`,
  scale: `${prefix}.weight_scale`,
  zero: `${prefix}.weight_zero`,
});
/** Names of the tensors that list salient channels and their steps. */
export const salientNames = (prefix: string) => ({
  channels: `${prefix}.salient_channels`,
  steps: `${prefix}.salient_steps`,
});

/** Reads one linear, packed where the model spikes. Errors: MISSING, SHAPE, INVALID_ARGUMENT (salient channels). */
export async function readLinear(
  source: TensorSource,
  entry: LinearEntry,
  spiking: SpikingConfig | undefined,
  signal?: AbortSignal,
): Promise<LinearWeights> {
  const { prefix, outputs, inputs } = entry;
  const bias = entry.bias ? await readWeight(source, `${prefix}.bias`, [outputs], signal) : undefined;
  if (spiking === undefined) {
    return { entry, bias, weight: await readWeight(source, `${prefix}.weight`, [outputs, inputs], signal) };
  }
  const { weights, activations } = spiking;
  const weight =
    weights.kind === 'ternary'
      ? await readTernary(source, entry, weights, signal)
      : await readPacked(source, entry, weights.bits, signal);
  const steps = activations.bits < FLOAT_BITS ? await readSteps(source, prefix, inputs, signal) : undefined;
  return { entry, bias, weight, steps };
}

/** Reads rows of packed weights. Errors: MISSING, SHAPE, INVALID_ARGUMENT (scales). */
export async function readPacked(
  source: TensorSource,
  rows: PackedRows,
  bits: number,
  signal?: AbortSignal,
): Promise<PackedWeight> {
  const names = packedNames(rows.prefix);
  const zero = await readWeight(source, names.zero, [rows.outputs], signal);
  return {
    bits,
    codes: await readWeight(source, names.codes, packedShape(rows, bits), signal),
    scale: await readScale(source, names.scale, [rows.outputs], signal),
    zero: hostTensor('int32', Int32Array.from(zero.data as Int16Array)),
  };
}

/** Steps of each of `channels` channels: 1, or what the salient lists say. */
export async function readSteps(
  source: TensorSource,
  prefix: string,
  channels: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const steps = new Uint8Array(channels).fill(1);
  const names = salientNames(prefix);
  const count = source.info(names.channels)?.shape[0];
  if (count === undefined) return steps;
  const salient = (await readWeight(source, names.channels, [count], signal)).data as Int32Array;
  const given = (await readWeight(source, names.steps, [count], signal)).data as Uint8Array;
  salient.forEach((channel, i) => {
    if (channel < 0 || channel >= channels) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: names.channels,
        expected: `channels from 0 to ${channels - 1}`,
        received: String(channel),
      });
    }
    if (![2, 4, 8, 16].includes(given[i])) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: names.steps,
        expected: 'steps among 2, 4, 8, 16',
        received: String(given[i]),
      });
    }
    steps[channel] = given[i];
  });
  return steps;
}

/** The salient channels of `steps` as the two tensors of a checkpoint; empty where no channel is salient. */
export function salientTensors(prefix: string, steps: Uint8Array): [string, HostTensor][] {
  const order = gatherOrder(steps);
  const channels = order.filter((channel) => steps[channel] > 1).toSorted();
  if (channels.length === 0) return [];
  const names = salientNames(prefix);
  return [
    [names.channels, hostTensor('int32', channels)],
    [
      names.steps,
      hostTensor(
        'uint8',
        Uint8Array.from(channels, (channel) => steps[channel]),
      ),
    ],
  ];
}

/** Linears that read the same input, ready to run. */
export interface PreparedGroup {
  /** y of each linear, in the order given. */
  run(x: DeviceTensor): DeviceTensor[];
  /** Float weights on the device, by name of the linear; packed ones are not among them. */
  readonly weights: ReadonlyMap<string, DeviceTensor>;
}

/**
 * Prepares linears that share their input. Linears with the same steps share one encoding of it.
 *
 * @param spiking - how activations spike; needed where a linear has steps
 */
export function prepareGroup(
  runner: Runner,
  linears: readonly LinearWeights[],
  spiking: SpikingConfig | undefined,
): PreparedGroup {
  const encodings = new Map<string, ReturnType<typeof prepareEncoding>>();
  const weights = new Map<string, DeviceTensor>();
  const run = linears.map((linear): Apply => {
    const { entry, weight, bias, steps } = linear;
    if (!isPacked(weight) && !isTernary(weight)) {
      const w = runner.upload(weight);
      weights.set(entry.name, w);
      return prepareFloat(runner, linear, w);
    }
    if (steps === undefined || spiking === undefined)
      return prepareWeightOnly(runner, entry.inputs, weight, bias);
    const key = steps.join();
    const encoding = encodings.get(key) ?? prepareEncoding(runner, steps, spiking);
    encodings.set(key, encoding);
    return prepareSpiking(runner, weight, bias, encoding);
  });
  return {
    weights,
    run(x) {
      const coded = new Map<object, Coded>();
      return run.map((apply) => apply(x, coded));
    },
  };
}

type Coded = { readonly codes: DeviceTensor; readonly scale: DeviceTensor; readonly zero: DeviceTensor };
type Apply = (x: DeviceTensor, coded: Map<object, Coded>) => DeviceTensor;

/** Errors: UNSUPPORTED for float weights whose input spikes. */
function prepareFloat(runner: Runner, { entry, bias, steps }: LinearWeights, weight: DeviceTensor): Apply {
  if (steps !== undefined) {
    throw new SpikeError('UNSUPPORTED', {
      where: entry.prefix,
      expected: 'packed weights where activations spike',
      received: 'float weights',
    });
  }
  const b = bias && runner.upload(bias);
  return (x) => runner.run('linear_f32', { x, weight, bias: b }).y;
}

/** Packed or ternary weights, activations in float. */
function prepareWeightOnly(
  runner: Runner,
  C: number,
  weight: PackedWeight | TernaryWeight,
  bias: HostTensor | undefined,
): Apply {
  if (isTernary(weight)) {
    const { attributes, constants } = ternaryOperands(weight, C, bias);
    const additive = runner.prepare('linear_ternary_f32', attributes, constants);
    return (x) => runner.apply(additive, { x }).y;
  }
  const linear = runner.prepare(
    'linear_packed_f32',
    { weightBits: weight.bits, C },
    packedConstants(weight, bias),
  );
  return (x) => runner.apply(linear, { x }).y;
}

/** The constants of kernels on packed weights. */
export const packedConstants = ({ codes, scale, zero }: PackedWeight, bias: HostTensor | undefined) => ({
  weight: codes,
  weightScale: scale,
  weightZero: zero,
  bias,
});

function prepareEncoding(runner: Runner, steps: Uint8Array, { activations }: SpikingConfig) {
  const gif = { bits: activations.bits, range: activations.range, classes: stepClasses(steps) };
  const constants = { steps: hostTensor('uint8', steps) };
  return { gif, constants, kernel: runner.prepare('gif_encode_f32', gif, constants) };
}

function prepareSpiking(
  runner: Runner,
  weight: PackedWeight | TernaryWeight,
  bias: HostTensor | undefined,
  encoding: ReturnType<typeof prepareEncoding>,
): Apply {
  const linear = prepareOnCodes(runner, weight, bias, encoding);
  return (x, coded) => {
    const input = coded.get(encoding) ?? runner.apply(encoding.kernel, { x });
    coded.set(encoding, input);
    return linear(input);
  };
}

function prepareOnCodes(
  runner: Runner,
  weight: PackedWeight | TernaryWeight,
  bias: HostTensor | undefined,
  { gif, constants: spikes }: ReturnType<typeof prepareEncoding>,
): (input: Coded) => DeviceTensor {
  if (isTernary(weight)) {
    const C = spikes.steps.dims[0];
    const { attributes, constants } = ternaryOperands(weight, C, bias);
    const additive = runner.prepare(
      'linear_ternary_codes_f32',
      { ...gif, ...attributes },
      { ...spikes, ...constants },
    );
    return (input) => runner.apply(additive, input).y;
  }
  const linear = runner.prepare(
    'linear_codes_f32',
    { ...gif, weightBits: weight.bits },
    { ...spikes, ...packedConstants(weight, bias) },
  );
  return (input) => runner.apply(linear, input).y;
}
