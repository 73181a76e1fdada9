/** The weights of one decoder layer in host memory. */
import type { HostTensor } from '@spikellm/backend';
import { cachedChannels, type KvSteps } from '../attention/attention.ts';
import type { Weight } from '../formats/format.ts';
import { weightFormat } from '../formats/index.ts';
import { hostTensor } from '../host-tensor.ts';
import { nodesOf, type Graph, type LinearNode, type NormNode } from '../ir/nodes.ts';
import type { LayerGraph } from '../model.ts';
import { readSteps } from '../salient.ts';
import { attentionOf } from '../sites.ts';
import { FLOAT_BITS, spikesInCache, type SpikingConfig } from '../spiking-config.ts';
import { readFloats, type TensorSource } from '../tensors.ts';
import { cachePrefixes, linearRows } from '../weights.ts';

/** One linear in host memory. */
export interface LinearWeights {
  readonly node: LinearNode;
  readonly weight: Weight;
  /** float32 [O]. */
  readonly bias?: HostTensor | undefined;
  /** Spike steps of each input channel, uint8 [C]; absent where activations stay in float. */
  readonly steps?: Uint8Array | undefined;
}

/** One norm in host memory, as it is stored. */
export interface NormWeights {
  readonly node: NormNode;
  /** float32 [C of a group]. */
  readonly weight: HostTensor;
  readonly bias?: HostTensor | undefined;
}

/** What a norm multiplies by: its weight with what is added to it as it is stored. */
export function normScale({ node: { offset }, weight }: NormWeights): HostTensor {
  if (offset === 0) return weight;
  return hostTensor(
    'float32',
    (weight.data as Float32Array).map((w) => offset + w),
  );
}

export interface LayerWeights {
  /** By name of the node, in the order of the graph. */
  readonly norms: ReadonlyMap<string, NormWeights>;
  readonly linears: ReadonlyMap<string, LinearWeights>;
  /** Present where the KV cache spikes. */
  readonly kvSteps?: KvSteps | undefined;
}

/** Reads the weights of a layer. Errors: MISSING, SHAPE, DTYPE, NOT_FINITE, INVALID_ARGUMENT (scales, steps). */
export async function readLayer(
  source: TensorSource,
  layer: LayerGraph,
  spiking?: SpikingConfig,
  signal?: AbortSignal,
): Promise<LayerWeights> {
  return {
    norms: await readNorms(source, layer, layer.prefix, signal),
    linears: await readLinears(source, layer, layer.prefix, spiking, signal),
    kvSteps: spikesInCache(spiking) ? await readKvSteps(source, layer, spiking, signal) : undefined,
  };
}

/** Reads the linears of a graph whose weights have this prefix, but for tables. Errors: as `readLayer`. */
export async function readLinears(
  source: TensorSource,
  graph: Graph,
  graphPrefix: string,
  spiking?: SpikingConfig,
  signal?: AbortSignal,
): Promise<Map<string, LinearWeights>> {
  const format = weightFormat(spiking);
  const spikes = spiking !== undefined && spiking.activations.bits < FLOAT_BITS;
  const linears = new Map<string, LinearWeights>();
  for (const node of nodesOf(graph, 'linear').filter(({ table }) => !table)) {
    const rows = linearRows(graphPrefix, node);
    const { prefix, outputs, inputs } = rows;
    const bias = node.bias ? await readFloats(source, `${prefix}.bias`, [outputs], signal) : undefined;
    const weight = await format.read(source, rows, signal);
    const steps = spikes ? await readSteps(source, prefix, inputs, signal) : undefined;
    linears.set(node.name, { node, weight, bias, steps });
  }
  return linears;
}

/** Reads the norms of a graph whose weights have this prefix. Errors: as `readLayer`. */
export async function readNorms(
  source: TensorSource,
  graph: Graph,
  prefix: string,
  signal?: AbortSignal,
): Promise<Map<string, NormWeights>> {
  const norms = new Map<string, NormWeights>();
  for (const node of nodesOf(graph, 'norm')) {
    const shape = [node.output.width / node.groups];
    const name = prefix + node.name;
    norms.set(node.name, {
      node,
      weight: await readFloats(source, `${name}.weight`, shape, signal),
      bias: node.bias ? await readFloats(source, `${name}.bias`, shape, signal) : undefined,
    });
  }
  return norms;
}

async function readKvSteps(
  source: TensorSource,
  layer: LayerGraph,
  { kv }: SpikingConfig,
  signal?: AbortSignal,
): Promise<KvSteps> {
  const attention = attentionOf(layer);
  const channels = cachedChannels(attention, kv.key);
  const { keys, values } = cachePrefixes(layer, attention.name);
  return {
    keys: await readSteps(source, keys, channels, signal),
    values: await readSteps(source, values, channels, signal),
  };
}
