/** Where rotations fold into the weights of a model, found by walking its graphs, and where they cannot. */
import { SpikeError } from '@spikellm/backend';
import {
  attentionOf,
  inputSites,
  producerOf,
  readersOf,
  readsOf,
  rotatesOnline,
  type Edge,
  type Graph,
  type GraphNode,
  type LinearNode,
  type ModelGraph,
  type NormNode,
} from '@spikellm/graph';

/** What rotates one side of a linear. */
export interface LinearRotation {
  /**
   * Of what it reads: the residual stream behind a norm, the values of heads, or a rotation that the model does as it runs.
   */
  readonly inputs:
    | { readonly by: 'stream'; readonly norm: NormNode }
    | { readonly by: 'heads' | 'online' | 'none' };
  /** Of what it computes: nothing where its result is mixed with others only channel by channel. */
  readonly outputs: 'stream' | 'heads' | 'none';
}

/**
 * The rotations of the linears of a graph by their names. Errors: UNSUPPORTED, with the reason, for a graph whose residual
 * stream cannot be rotated: a norm that is no RMSNorm, or one that stands between a linear and the stream.
 */
export function planRotation(graph: Graph): ReadonlyMap<string, LinearRotation> {
  const { writers, norms } = walkStream(graph);
  const plan = new Map<string, LinearRotation>();
  const heads = valueWriter(graph);
  const inputsOf = (edge: Edge): LinearRotation['inputs'] => {
    const producer = producerOf(graph, edge);
    if (producer?.kind === 'norm' && norms.has(producer)) return { by: 'stream', norm: producer };
    if (rotatesOnline(graph, edge)) return { by: 'online' };
    return { by: producer?.kind === 'attention' && heads ? 'heads' : 'none' };
  };
  for (const { edge, readers } of inputSites(graph)) {
    for (const linear of readers) {
      const outputs = writers.has(linear) ? 'stream' : linear === heads ? 'heads' : 'none';
      plan.set(linear.name, { inputs: inputsOf(edge), outputs });
    }
  }
  return plan;
}

/** The linears whose results are added to the residual stream, and the norms that read it. */
function walkStream(graph: Graph): { writers: ReadonlySet<LinearNode>; norms: ReadonlySet<NormNode> } {
  const stream = new Set<Edge>([graph.input]);
  const writers = new Set<LinearNode>();
  const norms = new Set<NormNode>();
  for (const node of graph.nodes) {
    const own = readsOf(node).filter((edge) => stream.has(edge));
    if (own.length === 0) continue;
    if (node.kind === 'norm') {
      if (node.of !== 'rms' || node.bias || node.groups > 1)
        throw refused(node.name, 'it is no RMSNorm of all channels');
      const others = readersOf(graph, node.output).filter(({ kind }) => kind !== 'linear');
      if (others.length > 0) throw refused(node.name, `${others[0].name} reads it, which is no linear`);
      norms.add(node);
      continue;
    }
    if (node.kind !== 'add') throw refused(node.name, 'it reads the residual stream without a norm');
    for (const edge of readsOf(node)) if (!stream.has(edge)) writers.add(writerOf(graph, edge));
    stream.add(node.output);
  }
  if (!stream.has(graph.output))
    throw refused(graph.output.name, 'what leaves the layer is not the residual stream');
  return { writers, norms };
}

/** The linear whose result, times factors, is added to the residual stream. */
function writerOf(graph: Graph, edge: Edge): LinearNode {
  if (readersOf(graph, edge).length > 1) throw refused(edge.name, 'not only the residual stream reads it');
  const node = producerOf(graph, edge);
  if (node?.kind === 'linear') return node;
  if (node?.kind === 'scale') return writerOf(graph, node.inputs.x);
  throw refused(edge.name, 'it stands between a linear and the residual stream');
}

const refused = (node: string, reason: string): SpikeError =>
  new SpikeError('UNSUPPORTED', {
    where: '--rotate hadamard',
    expected:
      'a model whose residual stream can be rotated: RMSNorms before linears, whose results are added to it',
    received: `${node}: ${reason}`,
    remedy: 'quantise without a rotation',
  });

/** The linear that computes the values of attention, where nothing but attention reads them and linears what it makes. */
function valueWriter(graph: Graph): LinearNode | undefined {
  if (graph.nodes.every(({ kind }) => kind !== 'attention')) return undefined;
  const { inputs, output } = attentionOf(graph);
  const writer = producerOf(graph, inputs.v);
  const reads = graph.nodes.flatMap(readsOf).filter((edge) => edge === inputs.v).length;
  const linears = readersOf(graph, output).every(({ kind }) => kind === 'linear');
  return writer?.kind === 'linear' && reads === 1 && linears ? writer : undefined;
}

/** Errors: UNSUPPORTED for a model whose ends cannot be rotated. */
export function checkEnds({ embed, head }: ModelGraph): {
  readonly norm: NormNode;
  readonly head: LinearNode;
} {
  const other = embed.nodes.find(({ kind }) => kind !== 'embedding' && kind !== 'scale');
  if (other !== undefined) throw refused(other.name, 'it follows the embedding');
  const [norm, linear] = head.nodes;
  const isRead = (edge: Edge, by: GraphNode): boolean =>
    readersOf(head, edge).length === 1 && readsOf(by).includes(edge);
  if (
    norm?.kind === 'norm' &&
    norm.of === 'rms' &&
    !norm.bias &&
    norm.groups === 1 &&
    isRead(head.input, norm) &&
    linear?.kind === 'linear' &&
    linear.table &&
    isRead(norm.output, linear)
  )
    return { norm, head: linear };
  throw refused((linear ?? norm).name, 'the head is not an RMSNorm and a linear');
}
