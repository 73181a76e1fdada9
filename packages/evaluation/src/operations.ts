import { SpikeError } from '@spikellm/backend';
import {
  FLOAT_BITS,
  linearRows,
  nodesOf,
  stepClasses,
  weightFormat,
  type Decoder,
  type SpikingConfig,
  type WeightSpikes,
} from '@spikellm/graph';
import { THRESHOLD_BITS } from './activation-bits.ts';
import { attentionOperations, type AttentionOperations } from './attention-operations.ts';
import { describeModel, type LinearReport, type TensorIndex } from './describe.ts';
import { ENERGY_45NM, estimateEnergy, type Arithmetic, type EnergyTable } from './energy.ts';
import { cacheSteps } from './kv-cost.ts';
import { linearOperations } from './linear-operations.ts';
import { addCounts, type OperationCounts } from './operation-counts.ts';
import { countSpikes, type ChannelCounts, type SpikeCountOptions } from './spike-counts.ts';
import { spikeRates } from './spike-statistics.ts';
import { sum } from './sum.ts';
import { reportTransform, type TransformOperationReport } from './transform-operations.ts';
import { cutWindows } from './windows.ts';

export interface OperationOptions extends SpikeCountOptions {
  readonly tensors: TensorIndex;
  /** Parsed config.json. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Default: {@link ENERGY_45NM}. */
  readonly energy?: EnergyTable | undefined;
  /** For a float model that stands for another. Errors: INVALID_ARGUMENT for a spiking one. */
  readonly standsFor?: BinaryWeights | undefined;
}

/** Weights in binary digits without a packed format, which a float model stands for; means over all its linears. */
export interface BinaryWeights {
  /** True bits of a weight. */
  readonly bitsPerWeight: number;
  /** Binary digits of a weight, one addition each against a float input, were none of them 0. */
  readonly steps: number;
}

/** Of one linear, means per token. */
export interface LinearOperationReport extends OperationCounts {
  readonly layer: number;
  /** Such as `self_attn.q_proj`. */
  readonly name: string;
  readonly outputs: number;
  readonly inputs: number;
  /** Bits of a weight in one product: those of its code, 2 of a trit, 16 of a float. */
  readonly weightBits: number;
  /** Mean steps of a weight: 1 but for ternary ones. */
  readonly weightSteps: number;
  /** Bits of an activation in one product: n of a spike, 16 of a float. */
  readonly activationBits: number;
  /** Mean steps of an input channel: 1 for floats. */
  readonly activationSteps: number;
  /** Levels emitted in a step of the input over the 2^n - 1 it could emit; null where the input is float. */
  readonly firingRate: number | null;
}

/** The linears of one layer, or of all, and the rotations that run in it. */
export interface LayerOperationReport extends OperationCounts {
  /** Mean over the steps of all inputs, each encoding counted once; null where inputs are float. */
  readonly firingRate: number | null;
}

export interface OperationReport {
  /** Tokens whose spikes were counted; 0 where activations are float and nothing had to be run. */
  readonly tokens: number;
  readonly linears: readonly LinearOperationReport[];
  readonly transforms: readonly TransformOperationReport[];
  readonly layers: readonly LayerOperationReport[];
  /** All linears of all layers, as ACE counts in arXiv 2407.04752, and all rotations that run. */
  readonly total: LayerOperationReport;
  /** What is not in `total`: the multiply-accumulates of the head, and attention. */
  readonly uncounted: { readonly head: number; readonly attention: AttentionOperations };
  readonly energyTable: EnergyTable;
}

/**
 * Counts the operations of a decoder's linears for a token of a text, from the spikes that the text sets off.
 *
 * One scale, zero point and bias per output and class of channels are left out: a share of 1 / C.
 * Errors: as `describeModel`; INVALID_ARGUMENT as `cutWindows`.
 *
 * @param ids - token ids of the text
 */
export async function countOperations(
  decoder: Decoder,
  ids: readonly number[],
  { config, energy = ENERGY_45NM, standsFor, ...options }: OperationOptions,
): Promise<OperationReport> {
  cutWindows(ids, options);
  if (standsFor !== undefined && decoder.spiking !== undefined)
    throw new SpikeError('INVALID_ARGUMENT', SPIKING);
  const { tensors, signal, window } = options;
  const { linears } = await describeModel(config, tensors, { signal });
  const bits = decoder.spiking?.activations.bits ?? FLOAT_BITS;
  const counted = bits < FLOAT_BITS ? await countSpikes(decoder, ids, options) : undefined;
  const reports: LinearOperationReport[] = [];
  for (const linear of linears) {
    const spikes = counted?.encodings.find(
      ({ layer, linears: readers }) => layer === linear.layer && readers.includes(linear.name),
    );
    if (standsFor !== undefined) {
      reports.push(reportBinary(linear, standsFor, energy));
      continue;
    }
    const weights = await weightSpikes(decoder, linear, tensors, signal);
    reports.push(reportLinear(linear, decoder.spiking, weights, spikes, counted?.tokens ?? 0, energy));
  }
  const { layers, head } = decoder.model;
  const transforms = layers.flatMap((layer) =>
    nodesOf(layer, 'hadamard').map(({ name, output }) =>
      reportTransform(layer.index, name, output.width, energy),
    ),
  );
  const steps = await cacheSteps(layers, decoder.spiking, tensors, signal);
  const together = (holds: (at: { readonly layer: number }) => boolean): LayerOperationReport => ({
    ...addCounts([...reports, ...transforms].filter(holds)),
    firingRate: counted ? spikeRates(counted.encodings.filter(holds), counted.tokens, bits).firingRate : null,
  });
  return {
    tokens: counted?.tokens ?? 0,
    linears: reports,
    transforms,
    layers: layers.map(({ index }) => together(({ layer }) => layer === index)),
    total: together(() => true),
    uncounted: {
      head: sum(nodesOf(head, 'linear'), ({ inputs, output }) => inputs.x.width * output.width),
      attention: attentionOperations(layers, decoder.spiking, steps, window),
    },
    energyTable: energy,
  };
}

const SPIKING = {
  where: 'countOperations',
  expected: 'a float model to stand for another',
  received: 'a spiking one',
};

/** Spikes of weights that are spikes themselves; undefined for others. */
async function weightSpikes(
  { model, spiking }: Decoder,
  { layer: index, name, averageWeightSteps }: LinearReport,
  tensors: TensorIndex,
  signal: AbortSignal | undefined,
): Promise<WeightSpikes | undefined> {
  if (averageWeightSteps === null) return undefined;
  const layer = model.layers[index];
  const node = nodesOf(layer, 'linear').find((linear) => linear.name === name)!;
  const weight = await weightFormat(spiking).read(tensors, linearRows(layer.prefix, node), signal);
  return weight.spikes?.();
}

function reportLinear(
  linear: LinearReport,
  spiking: SpikingConfig | undefined,
  weights: WeightSpikes | undefined,
  spikes: ChannelCounts | undefined,
  tokens: number,
  table: EnergyTable,
): LinearOperationReport {
  const { layer, name, outputs, inputs, bytes, biasBytes } = linear;
  const weightBits = weightFormat(spiking).productBits;
  const activationBits = spikes === undefined ? FLOAT_BITS : spiking!.activations.bits;
  const mean = (counts: Float64Array): Float64Array => counts.map((count) => count / tokens);
  const activations = spikes && {
    steps: spikes.steps,
    levels: mean(spikes.levels),
    events: mean(spikes.events),
  };
  const operations = linearOperations({ outputs, inputs, weightBits, activationBits, weights, activations });
  const sentSteps = spikes === undefined ? inputs : sum(spikes.steps, (T) => T);
  const thresholds = spikes === undefined ? 0 : THRESHOLD_BITS * stepClasses(spikes.steps).length;
  const moved = {
    weightBytes: bytes + biasBytes,
    activationBytes: (sentSteps * activationBits + thresholds + outputs * FLOAT_BITS) / 8,
  };
  const arithmetic = arithmeticOf(weightBits, activationBits);
  return {
    layer,
    name,
    outputs,
    inputs,
    weightBits,
    weightSteps: linear.averageWeightSteps ?? 1,
    activationBits,
    activationSteps: sentSteps / inputs,
    firingRate: spikes === undefined ? null : spikeRates([spikes], tokens, activationBits).firingRate,
    ...operations,
    ...moved,
    energy: estimateEnergy({ ...operations, ...moved, arithmetic, ternary: weights !== undefined }, table),
  };
}

/** A linear of floats, counted as the binary digits that they stand for. */
function reportBinary(
  { layer, name, outputs, inputs, biasBytes }: LinearReport,
  { bitsPerWeight, steps }: BinaryWeights,
  table: EnergyTable,
): LinearOperationReport {
  const of = (value: number): Float64Array => new Float64Array(inputs).fill(value);
  const weights = { steps: of(steps), trits: of(outputs * steps) };
  const bits = { weightBits: 1, activationBits: FLOAT_BITS };
  const operations = linearOperations({ outputs, inputs, ...bits, weights });
  const moved = {
    weightBytes: (outputs * inputs * bitsPerWeight) / 8 + biasBytes,
    activationBytes: ((inputs + outputs) * FLOAT_BITS) / 8,
  };
  return {
    layer,
    name,
    outputs,
    inputs,
    ...bits,
    weightSteps: steps,
    activationSteps: 1,
    firingRate: null,
    ...operations,
    ...moved,
    energy: estimateEnergy({ ...operations, ...moved, arithmetic: 'float16', ternary: true }, table),
  };
}

function arithmeticOf(weightBits: number, activationBits: number): Arithmetic {
  const widest = Math.max(weightBits, activationBits);
  if (widest === FLOAT_BITS) return 'float16';
  return widest <= 8 ? 'int8' : 'int32';
}
