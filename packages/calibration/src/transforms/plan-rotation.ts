/** Where rotations fold into the weights of a model, found by walking its graphs, and where they cannot. */
import { SpikeError } from '@spikellm/backend';
import {
  attentionOf,
  inputSites,
  producerOf,
  readersOf,
  readsOf,
  type Edge,
  type Graph,
  type LinearNode,
  type ModelGraph,
  type NormNode,
} from '@spikellm/graph';

/** What rotates one side of a linear. */
export interface LinearRotation {
  /**
   * Of what it reads: the residual stream behind a norm, the values of heads, or a rotation that the model does as it runs.
   */
  readonly inputs: { readonly by: 'stream'; readonly norm: NormNode } | { readonly by: 'heads' | 'online' | 'none' };
  /** Of what it computes: nothing where its result is mixed with others only channel by channel. */
  readonly outputs: 'stream' | 'heads' | 'none';
}

/**
 * The rotations of the linears of a graph by their names. Errors: UNSUPPORTED, with the reason, for a graph whose residual
 * stream cannot be rotated: a norm that is no RMSNorm, or one that stands between a linear and the stream.
 */
export function planRotation(graph: Graph): ReadonlyMap<string, LinearRotation> {
  const writers = streamWriters(graph);
  const plan = new Map<string, LinearRotation>();
  const heads = valueWriter(graph);
  for (const { edge, readers } of inputSites(graph)) {
    const producer = producerOf(graph, edge);
    for (const linear of readers) {
      const outputs = writers.has(linear) ? 'stream' : linear === heads ? 'heads' : 'none';
      if (producer?.kind === 'norm') {
        plan.set(linear.name, { inputs: { by: 'stream', norm: producer }, outputs });
        continue;
      }
      const by = producer?.kind === 'attention' ? (heads ? 'heads' : 'none') : 'online';
      plan.set(linear.name, { inputs: { by }, outputs });
    }
  }
  return plan;
}

/** The linears whose results are added to the residual stream. */
function streamWriters(graph: Graph): ReadonlySet<LinearNode> {
  const stream = new Set<Edge>([graph.input]);
  const writers = new Set<LinearNode>();
  for (const node of graph.nodes) {
    const own = readsOf(node).filter((edge) => stream.has(edge));
    if (own.length === 0) continue;
    if (node.kind === 'norm') {
      if (node.of !== 'rms' || node.bias) throw refused(node.name, 'it is no RMSNorm');
      const others = readersOf(graph, node.output).filter(({ kind }) => kind !== 'linear');
      if (others.length > 0) throw refused(node.name, `${others[0].name} reads it, which is no linear`);
      continue;
    }
    if (node.kind !== 'add') throw refused(node.name, 'it reads the residual stream without a norm');
    for (const edge of readsOf(node)) {
      if (stream.has(edge)) continue;
      const writer = producerOf(graph, edge);
      if (writer?.kind !== 'linear') throw refused(edge.name, 'it stands between a linear and the residual stream');
      writers.add(writer);
    }
    stream.add(node.output);
  }
  return writers;
}

const refused = (node: string, reason: string): SpikeError =>
  new SpikeError('UNSUPPORTED', {
    where: '--rotate hadamard',
    expected: 'a model whose residual stream can be rotated: RMSNorms before linears, whose results are added to it',
    received: `${node}: ${reason}`,
    remedy: 'quantise without a rotation',
  });

/** The linear that computes the values of attention, where nothing but attention reads them. */
function valueWriter(graph: Graph): LinearNode | undefined {
  if (graph.nodes.every(({ kind }) => kind !== 'attention')) return undefined;
  const { v } = attentionOf(graph).inputs;
  const writer = producerOf(graph, v);
  return writer?.kind === 'linear' && readersOf(graph, v).length === 1 ? writer : undefined;
}

/** Errors: UNSUPPORTED for a model whose ends cannot be rotated. */
export function checkEnds({ embed, head }: ModelGraph): { readonly norm: NormNode; readonly head: LinearNode } {
  const other = embed.nodes.find(({ kind }) => kind !== 'embedding');
  if (other !== undefined) throw refused(other.name, 'it follows the embedding');
  const [norm, linear, more] = head.nodes;
  if (norm?.kind === 'norm' && norm.of === 'rms' && !norm.bias && linear?.kind === 'linear' && more === undefined)
    return { norm, head: linear };
  throw refused((more ?? linear ?? norm).name, 'the head is not an RMSNorm and a linear');
}
