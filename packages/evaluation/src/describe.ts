import {
  attentionOf,
  bindTensors,
  cachePrefixes,
  checkTensor,
  globalWeights,
  layerWeights,
  linearRows,
  spikingLinears,
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
import { activationBits, type ActivationBits } from './activation-bits.ts';
import { describeKv, type KvReport } from './kv-cost.ts';
import { sum } from './sum.ts';

/** Tensors by name with the bytes they take in their file. The tensors of a `ModelFolder` are one. */
export interface TensorIndex extends TensorSource {
  info(
    name: string,
  ): { readonly dtype: string; readonly shape: readonly number[]; readonly bytes: number } | undefined;
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
  /** 8 bytes / (O C): a trit takes 2 bits. */
  readonly bitsPerWeight: number;
  /** The same with log2 3 bits a trit, what it could be packed to; equal where weights are not ternary. */
  readonly bitsPerWeightLog3: number;
  /** Products of a weight step and a spike step for a token: O sum_c T_c T'_c. */
  readonly products: number;
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
  /** Norms, and the linears that route. */
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
    readonly bitsPerWeightLog3: number;
    readonly averageWeightSteps: number | null;
  };
  /** Embedding and head with all that they store, per weight. */
  readonly embeddingBits: number;
  readonly kv: KvReport;
  readonly bytes: ModelBytes;
}

/** As trits are packed. */
const TRIT_BITS = 2;

export interface DescribeOptions {
  /** Tokens of the window over which reads of the KV cache are counted; the default is 256, or the context if shorter. */
  readonly window?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

const USUAL_WINDOW = 256;

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
  { window, signal }: DescribeOptions = {},
): Promise<ModelReport> {
  const model = parseModel(config);
  const spiking = parseSpikingConfig(config);
  const bound = bindTensors(tensors, model, spiking);
  const format = weightFormat(spiking);
  const linears: LinearReport[] = [];
  const steps: Uint8Array[] = [];
  for (const layer of model.layers) {
    for (const node of spikingLinears(layer)) {
      const described = await describeLinear(bound, layer, node, format, spiking, signal);
      steps.push(described.steps);
      linears.push(described.report);
    }
  }
  const weights = sum(linears, ({ outputs, inputs }) => outputs * inputs);
  const tokens = window ?? Math.min(USUAL_WINDOW, model.config.contextLength);
  const bytes = await countBytes(model, spiking, bound, linears, signal);
  return {
    config: model.config,
    spiking: spiking ?? null,
    linears,
    total: {
      weights,
      inputChannels: sum(linears, ({ inputs }) => inputs),
      bitsPerWeight: (8 * bytes.linears) / weights,
      bitsPerWeightLog3:
        sum(linears, (linear) => linear.outputs * linear.inputs * linear.bitsPerWeightLog3) / weights,
      averageWeightSteps: meanWeightSteps(linears),
      ...activationBits(steps, spiking),
    },
    embeddingBits:
      (8 * bytes.embeddings) / sum(endWeights(model), ({ shape: [rows, width] }) => rows * width),
    kv: await describeKv(model, spiking, bound, { tokens, signal }),
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
  const averageWeightSteps = stored.steps && sum(stored.steps, (T) => T) / inputs;
  const bitsPerWeight = (8 * bytes) / (outputs * inputs);
  const report = {
    layer: layer.index,
    name: node.name,
    outputs,
    inputs,
    averageWeightSteps,
    bytes,
    biasBytes: node.bias ? bytesOf(tensors, [`${prefix}.bias`]) : 0,
    bitsPerWeight,
    bitsPerWeightLog3: bitsPerWeight - (TRIT_BITS - Math.log2(3)) * (averageWeightSteps ?? 0),
    products: outputs * sum(steps.entries(), ([channel, T]) => T * (stored.steps?.[channel] ?? 1)),
    ...activationBits([steps], spiking),
  };
  return { report, steps };
}

function meanWeightSteps(linears: readonly LinearReport[]): number | null {
  if (linears.some(({ averageWeightSteps }) => averageWeightSteps === null)) return null;
  const size = ({ outputs, inputs }: LinearReport): number => outputs * inputs;
  return sum(linears, (linear) => size(linear) * linear.averageWeightSteps!) / sum(linears, size);
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
  const unpacked = [
    ...entries.filter(({ role }) => role === 'norm' || role === 'router'),
    ...endWeights(model),
  ].filter(({ name }) => !packed.has(name));
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
    norms: bytesOfRole('norm', 'router'),
  };
  const total = bytesOf(tensors, tensors.names());
  return { ...counted, other: total - sum(Object.values(counted), (bytes) => bytes), total };
}

function bytesOf(tensors: TensorIndex, names: Iterable<string>): number {
  return sum(names, (name) => tensors.info(name)?.bytes ?? 0);
}
