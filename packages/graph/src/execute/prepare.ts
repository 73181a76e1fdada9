/** A graph made ready on a backend. */
import type { DeviceTensor, Runner } from '@spikellm/backend';
import { prepareAttention, type LayerCache, type PreparedAttention } from '../attention/attention.ts';
import { floatFormat } from '../formats/float.ts';
import type { Table, WeightFormat, WeightRows } from '../formats/format.ts';
import { tableFormat } from '../formats/index.ts';
import type { Edge, Graph, GraphNode } from '../ir/nodes.ts';
import type { LayerGraph } from '../model.ts';
import { attentionOf } from '../sites.ts';
import type { SpikingConfig } from '../spiking-config.ts';
import type { TensorSource } from '../tensors.ts';
import { positionsOf, tablesOf } from '../weights.ts';
import { fuse } from './fuse.ts';
import { readLinears, readNorms, type LayerWeights } from './layer-weights.ts';
import { observer, prepareNode, type Preparing } from './nodes.ts';
import { slotsOf, type Observers, type Position, type Step } from './pass.ts';

/** A decoder layer, ready to run. */
export interface DecoderLayer {
  readonly attention: PreparedAttention;
  /** Float weights on the device, by name of the linear; empty where weights are packed. */
  readonly weights: ReadonlyMap<string, DeviceTensor>;
  /** x [N, C] to the next layer's x [N, C]. Intermediate tensors belong to the caller's scope. */
  forward(x: DeviceTensor, cache: LayerCache, position: Position, observers?: Observers): DeviceTensor;
}

export interface PrepareOptions {
  readonly spiking?: SpikingConfig | undefined;
  /** Whether one kernel may compute several nodes; true by default. The bits are the same. */
  readonly fused?: boolean;
}

/** Uploads and packs a layer. The runner owns what is made; the host weights may be dropped. */
export function prepareLayer(
  runner: Runner,
  layer: LayerGraph,
  { norms, linears, kvSteps }: LayerWeights,
  { spiking, fused = true }: PrepareOptions = {},
): DecoderLayer {
  const attention = prepareAttention(runner, attentionOf(layer), spiking, kvSteps);
  const devices = new Map<string, DeviceTensor>();
  const slot = slotsOf(layer);
  const steps = prepareSteps(
    {
      runner,
      graph: layer,
      slot,
      norms,
      linears,
      tables: new Map(),
      attention,
      spiking,
      layer: layer.index,
      encodings: new Map(),
      devices,
    },
    fused,
  );
  const output = slot(layer.output);
  return {
    attention,
    weights: devices,
    forward(x, cache, { position, angles }, observers) {
      const values = [x];
      const pass = { values, cache, position, angles, observers, spikes: new Map() };
      for (const step of steps) step(pass);
      return values[output];
    },
  };
}

/** The steps of a graph, in order. */
function prepareSteps(preparing: Preparing, fused: boolean): Step[] {
  const { graph, layer } = preparing;
  const done = new Set<GraphNode>();
  const seen = new Set<Edge>();
  const steps: Step[] = [];
  for (const node of graph.nodes) {
    if (done.has(node)) continue;
    const found = fused ? fuse(node, preparing) : undefined;
    for (const each of found?.nodes ?? [node]) done.add(each);
    if (layer !== undefined && node.kind === 'linear' && !seen.has(node.inputs.x)) {
      const x = node.inputs.x;
      const observe = observer(preparing, x);
      seen.add(x);
      steps.push((pass) => observe(pass, pass.values[preparing.slot(x)]));
    }
    steps.push(found?.step ?? prepareNode(node, preparing));
  }
  return steps;
}

export interface LoadEndOptions {
  readonly spiking?: SpikingConfig | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Tables by their names that another end has loaded; those of this one are added. */
  readonly loaded?: Map<string, Table>;
}

/** A graph outside the layers: ids or x, and the position of the first of them, to what it computes. */
export type End = (x: DeviceTensor, position?: number) => DeviceTensor;

/**
 * Reads a graph outside the layers and makes it ready: token ids to x, or x to logits. What it makes as it runs belongs to
 * the caller's scope. Errors: MISSING, SHAPE, DTYPE, NOT_FINITE.
 */
export async function loadEnd(
  runner: Runner,
  source: TensorSource,
  graph: Graph,
  { spiking, signal, loaded: tables = new Map<string, Table>() }: LoadEndOptions = {},
): Promise<End> {
  const load = async (format: WeightFormat, rows: readonly WeightRows[]): Promise<void> => {
    for (const each of rows) {
      if (tables.has(each.prefix)) continue;
      tables.set(each.prefix, await format.readTable!(runner, source, each, signal));
    }
  };
  await load(tableFormat(spiking), tablesOf(graph));
  await load(floatFormat, positionsOf(graph));
  const norms = await readNorms(source, graph, '', signal);
  const linears = await readLinears(source, graph, '', undefined, signal);
  const slot = slotsOf(graph);
  const nothing = { encodings: new Map(), devices: new Map() };
  const outside = { attention: undefined, spiking: undefined, layer: undefined };
  const steps = prepareSteps({ runner, graph, slot, norms, linears, tables, ...nothing, ...outside }, false);
  const output = slot(graph.output);
  return (x, position = 0) => {
    const values = [x];
    const pass = { values, cache: {}, position, angles: {}, observers: undefined, spikes: new Map() };
    for (const step of steps) step(pass);
    return values[output];
  };
}
