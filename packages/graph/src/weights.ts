/** The weights that the nodes of a graph read, and the tensors of a file that are theirs. */
import { SpikeError } from '@spikellm/backend';
import { inputSites } from './sites.ts';
import type { Graph, GraphNode, LinearNode } from './ir/nodes.ts';
import type { LayerGraph, ModelGraph } from './model.ts';
import type { WeightRows } from './formats/format.ts';
import { floatFormat } from './formats/float.ts';
import { tableFormat, weightFormat } from './formats/index.ts';
import { salientNames } from './salient.ts';
import type { SpikingConfig } from './spiking-config.ts';
import { unstack } from './stacked.ts';
import { checkFloat, type TensorSource } from './tensors.ts';

/** The lowest precision a weight is ever stored in. `packed`: whole-number codes with a scale per row. */
export type LowestPrecision = 'packed' | 'float16' | 'float32';

/** One weight of the model: what it is called, its shape, and how far it may be quantised. */
export interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: 'linear' | 'table' | 'position' | 'projection' | 'norm' | 'bias';
  readonly lowestPrecision: LowestPrecision;
}

/** The rows of a linear. */
export const linearRows = (prefix: string, { name, inputs, output }: LinearNode): WeightRows => ({
  prefix: prefix + name,
  outputs: output.width,
  inputs: inputs.x.width,
});

/** Float weights of a node, as a checkpoint that does not spike has them. */
function nodeWeights(node: GraphNode, prefix: string): WeightEntry[] {
  const name = prefix + node.name;
  const bias = (size: number): WeightEntry[] => [
    { name: `${name}.bias`, shape: [size], role: 'bias', lowestPrecision: 'float32' },
  ];
  switch (node.kind) {
    case 'embedding':
      return [table(name, node.rows, node.output.width)];
    case 'positions': {
      const shape = [node.rows, node.output.width];
      return [{ name: `${name}.weight`, shape, role: 'position', lowestPrecision: 'float16' }];
    }
    case 'norm': {
      const size = node.output.width / node.groups;
      const weight: WeightEntry = {
        name: `${name}.weight`,
        shape: [size],
        role: 'norm',
        lowestPrecision: 'float32',
      };
      return [weight, ...(node.bias ? bias(size) : [])];
    }
    case 'linear': {
      const { outputs, inputs } = linearRows('', node);
      if (node.table) return [table(name, outputs, inputs)];
      const weight: WeightEntry = {
        name: `${name}.weight`,
        shape: [outputs, inputs],
        role: 'linear',
        lowestPrecision: 'packed',
      };
      return [weight, ...(node.bias ? bias(outputs) : [])];
    }
    default:
      return [];
  }
}

const table = (name: string, rows: number, width: number): WeightEntry => ({
  name: `${name}.weight`,
  shape: [rows, width],
  role: 'table',
  lowestPrecision: 'float16',
});

/** Float weights of a layer: norms first, then linears with their biases. */
export function layerWeights({ nodes, prefix }: LayerGraph): WeightEntry[] {
  const entries = nodes.flatMap((node) => nodeWeights(node, prefix).map((entry) => ({ node, entry })));
  const of = (norms: boolean): WeightEntry[] =>
    entries.filter(({ node }) => (node.kind === 'norm') === norms).map(({ entry }) => entry);
  return [...of(true), ...of(false)];
}

/** Weights outside the layers; a table that embedding and head share comes once. */
export function globalWeights({ embed, head }: ModelGraph): WeightEntry[] {
  const entries = [embed, head]
    .flatMap(({ nodes }) => nodes.flatMap((node) => nodeWeights(node, '')))
    .map((entry): WeightEntry =>
      entry.role === 'linear' ? { ...entry, role: 'projection', lowestPrecision: 'float16' } : entry,
    );
  return [...new Map(entries.map((entry) => [entry.name, entry])).values()];
}

/** The tables of V rows that a graph outside the layers reads. */
export const tablesOf = (graph: Graph): WeightRows[] => rowsOf(graph, 'table');

/** The tables of positions that it reads, which stay as they are stored. */
export const positionsOf = (graph: Graph): WeightRows[] => rowsOf(graph, 'position');

const rowsOf = ({ nodes }: Graph, of: WeightEntry['role']): WeightRows[] =>
  nodes
    .flatMap((node) => nodeWeights(node, ''))
    .filter(({ role }) => role === of)
    .map(({ name, shape: [outputs, inputs] }) => ({
      prefix: name.replace(/\.weight$/, ''),
      outputs,
      inputs,
    }));

/** The tables of a model: the embedding, and the head where it is not the same. */
export function tables({ embed, head }: ModelGraph): WeightRows[] {
  const all = [...tablesOf(embed), ...tablesOf(head)];
  return [...new Map(all.map((rows) => [rows.prefix, rows])).values()];
}

/** Prefixes of the salient lists of cached keys and values. */
export const cachePrefixes = ({ prefix }: LayerGraph, attention: string) => ({
  keys: `${prefix}${attention}.key_cache`,
  values: `${prefix}${attention}.value_cache`,
});

/** Names of all tensors that a model, float or spiking, may read in its layers. */
function* layerTensorNames(layer: LayerGraph, spiking: SpikingConfig | undefined): Iterable<string> {
  for (const { name, role } of layerWeights(layer)) if (role !== 'linear') yield name;
  const format = weightFormat(spiking);
  for (const { readers } of inputSites(layer)) {
    for (const linear of readers) {
      const { prefix } = linearRows(layer.prefix, linear);
      yield* format.names(prefix);
      if (spiking !== undefined) yield* Object.values(salientNames(prefix));
    }
  }
  if (spiking === undefined) return;
  for (const node of layer.nodes) {
    if (node.kind !== 'attention') continue;
    for (const prefix of Object.values(cachePrefixes(layer, node.name)))
      yield* Object.values(salientNames(prefix));
  }
}

/** Tensors that older checkpoints store and no model needs: they follow from config.json. */
const BUFFERS = [/\.rotary_emb\.inv_freq$/, /\.attn\.(masked_)?bias$/, /\.self_attn\.(masked_)?bias$/];

const BASE = 'model.';
/** Before the names of a model alone, and of the text model of one that sees pictures too; the first that occurs. */
const BASES = ['language_model.model.', 'model.language_model.', BASE];

/**
 * The tensors of a file by the names that the graph uses: those of a model that was saved as its base class lack the
 * `model.` before them, those of a text model beside one of pictures have more before them, and a table that embedding and head share may be stored as either.
 *
 * Errors: MISMATCH for a tensor under the layers that no node reads and that is no known buffer, a bias or an adapter for
 * example, which a model would lose without a word; and for layers that the config does not count. DTYPE for a weight of a
 * float model that is no float.
 */
export function bindTensors<Source extends TensorSource>(
  source: Source,
  model: ModelGraph,
  spiking: SpikingConfig | undefined,
): Source {
  const aliases = aliasesOf(source, model, spiking);
  const stored = (name: string): string => aliases.get(name) ?? name;
  const bound = unstack(renamed(source, aliases), model);
  checkFloats(bound, model, spiking);
  checkUnread(bound, model, spiking, stored);
  return bound;
}

function renamed<Source extends TensorSource>(source: Source, aliases: ReadonlyMap<string, string>): Source {
  if (aliases.size === 0) return source;
  const canonical = new Map([...aliases].map(([name, found]) => [found, name]));
  const stored = (name: string): string => aliases.get(name) ?? name;
  return {
    ...source,
    *names() {
      for (const name of source.names()) yield canonical.get(name) ?? name;
    },
    info: (name: string) => source.info(stored(name)),
    read: (name: string, options?: object) => source.read(stored(name), options),
  };
}

/** Stored names by those that the graph uses, where they differ. */
function aliasesOf(
  source: TensorSource,
  model: ModelGraph,
  spiking: SpikingConfig | undefined,
): ReadonlyMap<string, string> {
  const aliases = new Map<string, string>();
  const names = new Set(source.names());
  const base = BASES.find((each) => [...names].some((name) => name.startsWith(each))) ?? '';
  if (base !== BASE) {
    for (const name of names) {
      const own = base.replace(BASE, '');
      if (isHead(name)) continue;
      if (name.startsWith(base)) aliases.set(BASE + name.slice(base.length), name);
      else if (isHead(name.replace(own, ''))) aliases.set(name.replace(own, ''), name);
    }
  }
  const format = tableFormat(spiking);
  const [{ prefix: embedding }] = tables(model);
  const [own, head] = [format.names(embedding), format.names(HEAD)];
  const tied = tables(model).length === 1;
  for (const [i, name] of own.entries()) {
    const found = names.has(name) || aliases.has(name);
    if (tied && !found && names.has(head[i])) aliases.set(name, head[i]);
  }
  return aliases;
}

const HEAD = 'lm_head';
const isHead = (name: string): boolean => name.startsWith(`${HEAD}.`);

/** A linear in whole numbers is named itself, not the scales that lie beside it. */
function checkFloats(source: TensorSource, model: ModelGraph, spiking: SpikingConfig | undefined): void {
  if (weightFormat(spiking) !== floatFormat) return;
  for (const { name, shape, role } of model.layers.flatMap(layerWeights))
    if (role === 'linear' && source.info(name) !== undefined) checkFloat(source, name, shape);
}

function checkUnread(
  source: TensorSource,
  model: ModelGraph,
  spiking: SpikingConfig | undefined,
  stored: (name: string) => string,
): void {
  const [{ prefix: first }] = model.layers;
  const layersPrefix = first.replace(/0\.$/, '');
  const read = new Set<string>();
  for (const layer of model.layers) for (const name of layerTensorNames(layer, spiking)) read.add(name);
  const under = ['', ...BASES].map((base) => layersPrefix.replace(BASE, base));
  for (const { name } of globalWeights(model)) read.add(name);
  const ends = [...globalWeights(model).map(({ name }) => name), `${HEAD}.weight`];
  const biases = new Set(ends.map((name) => name.replace(/\.weight$/, '.bias')));
  const { layers } = model.config;
  for (const name of source.names()) {
    if (read.has(name) || BUFFERS.some((buffer) => buffer.test(name))) continue;
    if (biases.has(name)) throw unread(stored(name), model);
    const prefix = under.find((each) => name.startsWith(each));
    if (prefix === undefined) continue;
    const index = Number(name.slice(prefix.length).split('.')[0]);
    if (index >= layers) {
      throw new SpikeError('MISMATCH', {
        where: 'config.json',
        expected: 'num_hidden_layers to count all layers of the model',
        received: `${layers}, and a tensor ${stored(name)}`,
      });
    }
    throw unread(stored(name), model);
  }
}

const unread = (name: string, { config: { family } }: ModelGraph): SpikeError =>
  new SpikeError('MISMATCH', {
    where: name,
    expected: `a tensor that a model of family ${family} reads, as config.json has it`,
    received: 'one that nothing reads',
    remedy: 'merge adapters into the weights, and say in config.json which biases there are',
  });
