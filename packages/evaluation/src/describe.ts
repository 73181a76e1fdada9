import {
  attentionOf,
  bindTensors,
  cachePrefixes,
  checkTensor,
  FLOAT_BITS,
  globalWeights,
  layerWeights,
  linearRows,
  nodesOf,
  parseModel,
  parseSpikingConfig,
  readSteps,
  salientNames,
  tableFormat,
  tables,
  weightFormat,
  type DecoderConfig,
  type LayerGraph,
  type LinearNode,
  type ModelGraph,
  type SpikingConfig,
  type TensorSource,
  type WeightEntry,
  type WeightFormat,
} from '@spikellm/graph';
import { describeKv, type KvReport } from './kv-cost.ts';
import { sum } from './sum.ts';

/** Tensors by name with the bytes they take in their file. The tensors of a `ModelFolder` are one. */
export interface TensorIndex extends TensorSource {
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
  const model = parseModel(config);
  const spiking = parseSpikingConfig(config);
  const bound = bindTensors(tensors, model, spiking);
  const format = weightFormat(spiking);
  const linears: LinearReport[] = [];
  const steps: Uint8Array[] = [];
  for (const layer of model.layers) {
    for (const node of nodesOf(layer, 'linear')) {
      const described = await describeLinear(bound, layer, node, format, spiking, signal);
      steps.push(described.steps);
      linears.push(described.report);
    }
  }
  const weights = sum(linears, ({ outputs, inputs }) => outputs * inputs);
  const bytes = await countBytes(model, spiking, bound, linears, signal);
  return {
    config: model.config,
    spiking: spiking ?? null,
    linears,
    total: {
      weights,
      inputChannels: sum(linears, ({ inputs }) => inputs),
      bitsPerWeight: (8 * bytes.linears) / weights,
      averageWeightSteps: meanWeightSteps(linears),
      ...activationBits(steps, spiking),
    },
    embeddingBits:
      (8 * bytes.embeddings) / sum(endWeights(model), ({ shape: [rows, width] }) => rows * width),
    kv: await describeKv(model, spiking, bound, signal),
    bytes,
  };
}

async function describeLinear(
  tensors: TensorIndex,
  layer: LayerGraph,
  node: LinearNode,
  format: WeightFormat,
  spiking: SpikingConfig | undefined,
  signal: AbortSignal | undefined,
): Promise<{ readonly report: LinearReport; readonly steps: Uint8Array }> {
  const rows = linearRows(layer.prefix, node);
  const { prefix, outputs, inputs } = rows;
  const stored = await format.describe(tensors, rows, signal);
  if (node.bias) checkTensor(tensors, `${prefix}.bias`, [outputs]);
  // Last, for a list of steps is as long as the config says, which the tensors have to bear out first.
  const steps = await readSteps(tensors, prefix, inputs, signal);
  const bytes = bytesOf(tensors, [
    ...stored.tensors.map(([name]) => name),
    ...Object.values(salientNames(prefix)),
  ]);
  const report = {
    layer: layer.index,
    name: node.name,
    outputs,
    inputs,
    averageWeightSteps: stored.steps && sum(stored.steps, (T) => T) / inputs,
    bytes,
    biasBytes: node.bias ? bytesOf(tensors, [`${prefix}.bias`]) : 0,
    bitsPerWeight: (8 * bytes) / (outputs * inputs),
    ...activationBits([steps], spiking),
  };
  return { report, steps };
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

/** The matrices outside the layers. */
const endWeights = (model: ModelGraph): WeightEntry[] =>
  globalWeights(model).filter(({ role }) => ['table', 'position', 'projection'].includes(role));

async function countBytes(
  model: ModelGraph,
  spiking: SpikingConfig | undefined,
  tensors: TensorIndex,
  linears: readonly LinearReport[],
  signal: AbortSignal | undefined,
): Promise<ModelBytes> {
  const stored: string[] = [];
  for (const rows of tables(model)) {
    const described = await tableFormat(spiking).describe(tensors, rows, signal);
    stored.push(...described.tensors.map(([name]) => name));
  }
  const packed = new Set(tables(model).map(({ prefix }) => `${prefix}.weight`));
  const entries = [...globalWeights(model), ...model.layers.flatMap(layerWeights)];
  const unpacked = [...entries.filter(({ role }) => role === 'norm'), ...endWeights(model)].filter(
    ({ name }) => !packed.has(name),
  );
  for (const { name, shape } of unpacked) checkTensor(tensors, name, shape);
  const bytesOfRole = (...roles: WeightEntry['role'][]): number =>
    bytesOf(
      tensors,
      entries.filter(({ role }) => roles.includes(role)).map(({ name }) => name),
    );
  const kvLists = model.layers.flatMap((layer) =>
    Object.values(cachePrefixes(layer, attentionOf(layer).name)).flatMap((prefix) =>
      Object.values(salientNames(prefix)),
    ),
  );
  const counted = {
    linears: sum(linears, ({ bytes }) => bytes),
    biases: bytesOfRole('bias'),
    kvLists: bytesOf(tensors, kvLists),
    embeddings: bytesOf(tensors, stored) + bytesOfRole('position', 'projection'),
    norms: bytesOfRole('norm'),
  };
  const total = bytesOf(tensors, tensors.names());
  return { ...counted, other: total - sum(Object.values(counted), (bytes) => bytes), total };
}

function bytesOf(tensors: TensorIndex, names: Iterable<string>): number {
  return sum(names, (name) => tensors.info(name)?.bytes ?? 0);
}
