/** Spike sites: every place of a layer where activations may be spikes. All that counts or chooses spikes uses this list. */
import {
  nodesOf,
  readersOf,
  type AttentionNode,
  type Edge,
  type Graph,
  type LinearNode,
} from './ir/nodes.ts';

/** What one or more linears read. */
export interface InputSite {
  /** By its readers: `qkv`, `o`, `gate_up`, `down`. */
  readonly name: string;
  readonly edge: Edge;
  /** Channels of the edge, C. */
  readonly channels: number;
  /** In the order in which they run. */
  readonly readers: readonly LinearNode[];
}

/** Cached keys or values. */
export interface CacheSite {
  readonly name: 'key' | 'value';
  readonly attention: AttentionNode;
  /** Cached channels, K D. */
  readonly channels: number;
}

/** The inputs of linears, in the order in which they are read. */
export function inputSites(graph: Graph): InputSite[] {
  const edges = new Set(nodesOf(graph, 'linear').map((linear) => linear.inputs.x));
  return [...edges].map((edge) => {
    const readers = readersOf(graph, edge).filter((node): node is LinearNode => node.kind === 'linear');
    return { name: siteName(readers), edge, channels: edge.width, readers };
  });
}

/** The keys and the values that attention remembers. */
export function cacheSites(graph: Graph): CacheSite[] {
  return nodesOf(graph, 'attention').flatMap((attention) =>
    (['key', 'value'] as const).map((name) => ({
      name,
      attention,
      channels: attention.kvHeads * attention.headSize,
    })),
  );
}

/** The one attention of a decoder layer. Throws an `Error` where it has none, or several. */
export function attentionOf(graph: Graph): AttentionNode {
  const [attention, ...more] = nodesOf(graph, 'attention');
  if (attention === undefined || more.length > 0) throw new Error('graph: a layer without one attention');
  return attention;
}

/** Short names of the linears in a row: single dims as they are, others with `_` between them. */
function siteName(readers: readonly LinearNode[]): string {
  const names = readers.map(({ name }) => name.replace(/^.*\./, '').replace(/_proj$/, ''));
  return names.join(names.every((name) => name.length === 1) ? '' : '_');
}
