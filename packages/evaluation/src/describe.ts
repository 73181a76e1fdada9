import { packedBytes } from '@spikellm/backend';
import {
  checkWeight,
  FINAL_NORM,
  FLOAT_BITS,
  inputNormName,
  kvPrefixes,
  layerLinears,
  mlpNormName,
  packedNames,
  parseDecoderConfig,
  parseSpikingConfig,
  readSteps,
  readWeightSteps,
  salientNames,
  tables,
  ternaryNames,
  type DecoderConfig,
  type LinearEntry,
  type PackedRows,
  type SpikingConfig,
  type TensorSource,
} from '@spikellm/graph';
import { describeKv, type KvReport } from './kv-cost.ts';
import { sum } from './sum.ts';

/** Tensors by name with the bytes they take in their file. The tensors of a `ModelFolder` are one. */
export interface TensorIndex extends TensorSource {
  names(): Iterable<string>;
  info(
    name: string,
  ): { readonly dtype: string; readonly shape: readonly number[]; readonly bytes: number } | undefined;
}

/** What the activations at the inputs of linears cost, as means over their channels. */
export interface ActivationBits {
  /** Channels with more than one step. */
  readonly salientChannels: number;
  /** Mean steps of a channel; null where activations are float. */
  readonly averageSteps: number | null;
  /** n * mean T, that is n ((1 - p) + p T): bits of the spikes sent; 32 where activations are float. */
  readonly transmittedBits: number;
  /** n + mean log2 T, that is n + p log2 T: bits of the codes the spikes carry; 32 where activations are float. */
  readonly informationBits: number;
}

export interface LinearReport extends ActivationBits {
  readonly layer: number;
  /** Such as `self_attn.q_proj`. */
  readonly name: string;
  readonly outputs: number;
  readonly inputs: number;
  /** Mean steps of a ternary weight; null where weights are not ternary. */
  readonly averageWeightSteps: number | null;
  /** Codes or trits, scales, zero points, steps of channels or a map of weights; or the float weight. Without the bias. */
  readonly bytes: number;
  readonly biasBytes: number;
  /** 8 bytes / (O C). */
  readonly bitsPerWeight: number;
}

/** Bytes in the files of a model. */
export interface ModelBytes {
  /** As `LinearReport.bytes`. */
  readonly linears: number;
  readonly biases: number;
  /** Lists of salient cached channels and their steps. */
  readonly kvLists: number;
  /** Token embedding and head. */
  readonly embeddings: number;
  readonly norms: number;
  /** Tensors that the decoder does not read. */
  readonly other: number;
  readonly total: number;
}

export interface ModelReport {
  readonly config: DecoderConfig;
  /** Null for a model that does not spike. */
  readonly spiking: SpikingConfig | null;
  readonly linears: readonly LinearReport[];
  /** All linears together; the activations as means over the input channels of every linear. */
  readonly total: ActivationBits & {
    readonly weights: number;
    readonly inputChannels: number;
    readonly bitsPerWeight: number;
    readonly averageWeightSteps: number | null;
  };
  /** Embedding and head with all that they store, per weight. */
  readonly embeddingBits: number;
  readonly kv: KvReport;
  readonly bytes: ModelBytes;
}

const FLOAT32_BITS = 32;

/**
 * Counts a model: true bits per weight with everything that a linear stores, steps and bits of activations and of the
 * KV cache, bytes by kind. Only headers, lists of steps and maps of salient weights are read.
 * Errors: those of the config; MISSING, SHAPE.
 *
 * @param config - parsed config.json
 */
export async function describeModel(
  config: Readonly<Record<string, unknown>>,
  tensors: TensorIndex,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ModelReport> {
  const decoder = parseDecoderConfig(config);
  const spiking = parseSpikingConfig(config);
  const linears: LinearReport[] = [];
  const steps: Uint8Array[] = [];
  for (let layer = 0; layer < decoder.layers; layer++) {
    for (const entry of layerLinears(decoder, layer)) {
      const own = await readSteps(tensors, entry.prefix, entry.inputs, signal);
      steps.push(own);
      linears.push(await describeLinear(tensors, layer, entry, own, spiking, signal));
    }
  }
  const weights = sum(linears, ({ outputs, inputs }) => outputs * inputs);
  const bytes = countBytes(decoder, spiking, tensors, linears);
  return {
    config: decoder,
    spiking: spiking ?? null,
    linears,
    total: {
      weights,
      inputChannels: sum(linears, ({ inputs }) => inputs),
      bitsPerWeight: (8 * bytes.linears) / weights,
      averageWeightSteps: meanWeightSteps(linears),
      ...activationBits(steps, spiking),
    },
    embeddingBits: (8 * bytes.embeddings) / sum(tables(decoder), ({ outputs, inputs }) => outputs * inputs),
    kv: await describeKv(decoder, spiking, tensors, signal),
    bytes,
  };
}

async function describeLinear(
  tensors: TensorIndex,
  layer: number,
  entry: LinearEntry,
  steps: Uint8Array,
  spiking: SpikingConfig | undefined,
  signal: AbortSignal | undefined,
): Promise<LinearReport> {
  const { prefix, name, outputs, inputs, bias } = entry;
  const { stored, averageWeightSteps } = await describeWeight(tensors, entry, spiking, signal);
  for (const [tensor, shape] of stored) checkWeight(tensors, tensor, shape);
  if (bias) checkWeight(tensors, `${prefix}.bias`, [outputs]);
  const bytes = bytesOf(tensors, [
    ...stored.map(([tensor]) => tensor),
    ...Object.values(salientNames(prefix)),
  ]);
  return {
    layer,
    name,
    outputs,
    inputs,
    averageWeightSteps,
    bytes,
    biasBytes: bias ? bytesOf(tensors, [`${prefix}.bias`]) : 0,
    bitsPerWeight: (8 * bytes) / (outputs * inputs),
    ...activationBits([steps], spiking),
  };
}

/** Names and shapes of what rows of weights are stored as: packed, or a float weight. */
function storedRows({ prefix, outputs, inputs }: PackedRows, bits: number | undefined): [string, number[]][] {
  const names = packedNames(prefix);
  return bits === undefined
    ? [[`${prefix}.weight`, [outputs, inputs]]]
    : [
        [names.codes, [outputs, packedBytes(inputs, bits)]],
        [names.scale, [outputs]],
        [names.zero, [outputs]],
      ];
}

/** Names and shapes of the tensors that hold the weight of a linear, and the mean steps of ternary ones. */
async function describeWeight(
  tensors: TensorIndex,
  entry: LinearEntry,
  spiking: SpikingConfig | undefined,
  signal: AbortSignal | undefined,
): Promise<{ stored: [string, number[]][]; averageWeightSteps: number | null }> {
  const { prefix, inputs } = entry;
  const format = spiking?.weights;
  if (format?.kind !== 'ternary') {
    return { stored: storedRows(entry, format?.bits), averageWeightSteps: null };
  }
  const names = ternaryNames(prefix);
  const { name, tensor, trits, scale, means } = await readWeightSteps(tensors, entry, format, signal);
  return {
    stored: [
      [name, [...tensor.dims]],
      [names.trits, [...trits]],
      [names.scale, [...scale]],
    ],
    averageWeightSteps: sum(means, (T) => T) / inputs,
  };
}

function meanWeightSteps(linears: readonly LinearReport[]): number | null {
  if (linears.some(({ averageWeightSteps }) => averageWeightSteps === null)) return null;
  const size = ({ outputs, inputs }: LinearReport): number => outputs * inputs;
  return sum(linears, (linear) => size(linear) * linear.averageWeightSteps!) / sum(linears, size);
}

/** Means over the channels of all the inputs given, each a list of steps. */
function activationBits(inputs: readonly Uint8Array[], spiking: SpikingConfig | undefined): ActivationBits {
  const bits = spiking?.activations.bits ?? FLOAT_BITS;
  if (bits >= FLOAT_BITS) {
    return {
      salientChannels: 0,
      averageSteps: null,
      transmittedBits: FLOAT32_BITS,
      informationBits: FLOAT32_BITS,
    };
  }
  const channels = sum(inputs, (steps) => steps.length);
  const mean = (of: (T: number) => number): number => sum(inputs, (steps) => sum(steps, of)) / channels;
  const averageSteps = mean((T) => T);
  return {
    salientChannels: sum(inputs, (steps) => steps.filter((T) => T > 1).length),
    averageSteps,
    transmittedBits: bits * averageSteps,
    informationBits: bits + mean(Math.log2),
  };
}

function countBytes(
  config: DecoderConfig,
  spiking: SpikingConfig | undefined,
  tensors: TensorIndex,
  linears: readonly LinearReport[],
): ModelBytes {
  const stored = tables(config).flatMap((rows) => storedRows(rows, spiking?.embeddings?.bits));
  for (const [name, shape] of stored) checkWeight(tensors, name, shape);
  const layers = Array.from({ length: config.layers }, (_, layer) => layer);
  const norms = [FINAL_NORM, ...layers.flatMap((layer) => [inputNormName(layer), mlpNormName(layer)])];
  for (const name of norms) checkWeight(tensors, name, [config.hiddenSize]);
  const kvLists = layers.flatMap((layer) =>
    Object.values(kvPrefixes(layer)).flatMap((prefix) => Object.values(salientNames(prefix))),
  );
  const counted = {
    linears: sum(linears, ({ bytes }) => bytes),
    biases: sum(linears, ({ biasBytes }) => biasBytes),
    kvLists: bytesOf(tensors, kvLists),
    embeddings: bytesOf(
      tensors,
      stored.map(([name]) => name),
    ),
    norms: bytesOf(tensors, norms),
  };
  const total = bytesOf(tensors, tensors.names());
  return { ...counted, other: total - sum(Object.values(counted), (bytes) => bytes), total };
}

function bytesOf(tensors: TensorIndex, names: Iterable<string>): number {
  return sum(names, (name) => tensors.info(name)?.bytes ?? 0);
}
