/** Spike sites: every place of a layer where activations may be spikes. All that counts or chooses spikes uses this list. */
import {
  nodesOf,
  readersOf,
  type AttentionNode,
  type Edge,
  type Graph,
  type GraphNode,
  type LinearNode,
} from './ir/nodes.ts';

/** What one or more linears read. */
export interface InputSite {
  /** By its readers, unique in its graph: `qkv`, `o`, `gate_up`, `down`, `experts.3.down`. */
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

const isSpiking = (node: GraphNode): node is LinearNode => node.kind === 'linear' && !node.router;

/** The linears of a layer that read spikes and have packed weights; what routes stays in float. */
export const spikingLinears = (graph: Graph): LinearNode[] => graph.nodes.filter(isSpiking);

/** The inputs of linears, in the order in which they are read; what routes is none. */
export function inputSites(graph: Graph): InputSite[] {
  const edges = [...new Set(spikingLinears(graph).map((linear) => linear.inputs.x))];
  const sites = edges.map((edge) => ({ edge, readers: readersOf(graph, edge).filter(isSpiking) }));
  const names = sites.map(({ readers }) => siteName(readers));
  return sites.map(({ edge, readers }, i) => {
    const isUnique = names.filter((name) => name === names[i]).length === 1;
    const name = isUnique ? names[i] : `${placeOf(readers[0])}.${names[i]}`;
    return { name, edge, channels: edge.width, readers };
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

/** Short names of the linears in a row, each once: single letters as they are, others with `_` between them. */
function siteName(readers: readonly LinearNode[]): string {
  const names = new Set(readers.map(({ name }) => name.replace(/^.*\./, '').replace(/_proj$/, '')));
  const isLetters = [...names].every((name) => name.length === 1);
  return [...names].join(isLetters ? '' : '_');
}

/** Where a linear of one of several experts is: `experts.3`. */
const placeOf = ({ name }: LinearNode): string => name.split('.').slice(-3, -1).join('.');
