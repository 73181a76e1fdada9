/**
 * Where a scale of each channel folds into the weights of a layer without changing what it computes, found by walking its
 * graph: between a norm and the linears that read it, between v and o through attention, between q and k over rotary pairs,
 * between up and down through a gate.
 */
import {
  inputSites,
  producerOf,
  readsOf,
  type AttentionNode,
  type Edge,
  type Graph,
  type LinearNode,
  type RotaryNode,
} from '@spikellm/graph';

/** What a scale does to the weights of one node. */
export interface FoldPart {
  /** Name of the node. */
  readonly node: string;
  /** Rows of a linear and its bias, columns of a linear, or the weights of a norm. */
  readonly side: 'rows' | 'columns' | 'norm';
  /** Whether it is multiplied by the scale or divided. */
  readonly power: 1 | -1;
  /** The channel of the scale that row or column i meets; i itself where it is absent. */
  readonly at?: (i: number) => number;
}

export interface Fold {
  /** Of the scale: that of the spike site whose input it changes, or `value` or `key`. */
  readonly name: string;
  readonly kind: 'norm' | 'value' | 'key' | 'gate';
  /** Length of the scale. */
  readonly channels: number;
  readonly parts: readonly FoldPart[];
  /** The linears whose inputs become smaller by the scale, and the name of the spike site that those are; none for keys. */
  readonly readers: readonly LinearNode[];
  readonly site?: string | undefined;
  /**
   * Channels that must have one scale: the number of the scale that channel i takes, and how many there are. Absent where
   * each channel has its own.
   */
  readonly tied?: { readonly at: (i: number) => number; readonly count: number } | undefined;
  /** Of folds of cached channels. */
  readonly attention?: AttentionNode | undefined;
}

/** All folds of a layer: norms in the order of the graph, then values, keys and gates. */
export function planFolds(graph: Graph): Fold[] {
  const sites = inputSites(graph);
  const [norms, gates]: Fold[][] = [[], []];
  for (const { name, edge, channels, readers } of sites) {
    const writer = producerOf(graph, edge);
    const columns = readers.map(({ name: node }): FoldPart => ({ node, side: 'columns', power: 1 }));
    const fold = { name, channels, readers, site: name };
    if (writer?.kind === 'norm' && writer.groups === 1 && isReadBy(graph, edge, readers)) {
      const divided: FoldPart = { node: writer.name, side: 'norm', power: -1 };
      norms.push({ ...fold, kind: 'norm', parts: [divided, ...columns] });
    }
    if (writer?.kind !== 'gated' || !isReadBy(graph, edge, readers)) continue;
    const up = producerOf(graph, writer.inputs.up);
    if (up?.kind !== 'linear' || !isReadOnce(graph, up.output)) continue;
    gates.push({ ...fold, kind: 'gate', parts: [{ node: up.name, side: 'rows', power: -1 }, ...columns] });
  }
  return [...norms, ...cacheFolds(graph), ...gates];
}

function cacheFolds(graph: Graph): Fold[] {
  return graph.nodes.flatMap((attention): Fold[] => {
    if (attention.kind !== 'attention') return [];
    return [valueFold(graph, attention), keyFold(graph, attention)].filter((fold) => fold !== undefined);
  });
}

function valueFold(graph: Graph, attention: AttentionNode): Fold | undefined {
  const value = producerOf(graph, attention.inputs.v);
  const site = inputSites(graph).find(({ edge }) => edge === attention.output);
  if (value?.kind !== 'linear' || site === undefined) return undefined;
  if (!isReadOnce(graph, value.output) || !isReadBy(graph, attention.output, site.readers)) return undefined;
  const at = cachedChannel(attention);
  return {
    name: 'value',
    kind: 'value',
    channels: value.output.width,
    attention,
    readers: site.readers,
    site: site.name,
    parts: [
      { node: value.name, side: 'rows', power: -1 },
      ...site.readers.map(({ name: node }): FoldPart => ({ node, side: 'columns', power: 1, at })),
    ],
  };
}

/** Scales of a rotary pair are one, since the rotation mixes the pair. Norms of heads stand in the way of the scales. */
function keyFold(graph: Graph, attention: AttentionNode): Fold | undefined {
  const [query, key] = [attention.inputs.q, attention.inputs.k].map((edge) => behindRotary(graph, edge));
  if (query === undefined || key === undefined || query.rotary?.width !== key.rotary?.width) return undefined;
  return {
    name: 'key',
    kind: 'key',
    channels: key.linear.output.width,
    attention,
    readers: [],
    ...(key.rotary && { tied: rotaryPairs(attention, key.rotary) }),
    parts: [
      { node: query.linear.name, side: 'rows', power: -1, at: cachedChannel(attention) },
      { node: key.linear.name, side: 'rows', power: 1 },
    ],
  };
}

function behindRotary(graph: Graph, edge: Edge): { linear: LinearNode; rotary?: RotaryNode } | undefined {
  const node = producerOf(graph, edge);
  const rotary = node?.kind === 'rotary' ? node : undefined;
  const linear = rotary ? producerOf(graph, rotary.inputs.x) : node;
  if (linear?.kind !== 'linear' || !isReadOnce(graph, edge) || !isReadOnce(graph, linear.output))
    return undefined;
  return { linear, ...(rotary && { rotary }) };
}

/**
 * Of cached channels: channels i and i + width/2 of a head are a pair for i < width/2, and those that are not rotated stand
 * by themselves.
 */
function rotaryPairs({ kvHeads, headSize }: AttentionNode, { width }: RotaryNode) {
  const half = width / 2;
  const own = headSize - half;
  const inHead = (i: number): number => (i < width ? i % half : i - half);
  return { at: (i: number) => Math.floor(i / headSize) * own + inHead(i % headSize), count: kvHeads * own };
}

/** The channel of the KV cache that channel i of the query heads meets. */
export const cachedChannel =
  ({ heads, kvHeads, headSize }: AttentionNode) =>
  (i: number): number =>
    Math.floor((Math.floor(i / headSize) * kvHeads) / heads) * headSize + (i % headSize);

/** Whether one input of one node is all that reads an edge. */
const isReadOnce = (graph: Graph, edge: Edge): boolean =>
  edge !== graph.output && graph.nodes.flatMap(readsOf).filter((read) => read === edge).length === 1;

/** Whether nobody else reads an edge. */
const isReadBy = (graph: Graph, edge: Edge, readers: readonly { readonly name: string }[]): boolean =>
  edge !== graph.output &&
  graph.nodes.every(
    (node) => !readsOf(node).includes(edge) || readers.some(({ name }) => name === node.name),
  );
