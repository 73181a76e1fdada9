/** A layer with the structure of another and fewer channels, for short measurements. */
import {
  attentionOf,
  floatWeight,
  hostTensor,
  linearRows,
  nodesOf,
  producerOf,
  readsOf,
  type Edge,
  type GraphNode,
  type LayerGraph,
  type LayerWeights,
} from '@spikellm/graph';
import { layerParameters } from './pipeline-size.ts';
import { randomMatrix } from './random-matrix.ts';

/** The layer with fewer heads of the same size, and all other widths in proportion: at most about `most` weights. */
export function proportionalLayer(layer: LayerGraph, most: number): LayerGraph {
  const attention = attentionOf(layer);
  const share = Math.min(1, Math.sqrt(most / layerParameters(layer)));
  const kvHeads = Math.max(1, Math.floor(attention.kvHeads * share));
  const heads = kvHeads * (attention.heads / attention.kvHeads);
  const scale = heads / attention.heads;
  const cached = new Set([attention.inputs.k, attention.inputs.v].flatMap((edge) => wide(layer, edge)));
  const queries = new Set([attention.output, ...wide(layer, attention.inputs.q)]);
  const routes = new Set(layer.nodes.filter(routesTokens).map(({ output }) => output));
  const edges = new Map<Edge, Edge>();
  const widthOf = (edge: Edge): number => {
    if (routes.has(edge)) return edge.width;
    if (cached.has(edge)) return kvHeads * attention.headSize;
    if (queries.has(edge)) return heads * attention.headSize;
    return Math.max(1, Math.round(edge.width * scale));
  };
  const edgeOf = (edge: Edge): Edge => {
    const known = edges.get(edge);
    if (known !== undefined) return known;
    const made = { ...edge, width: widthOf(edge) };
    edges.set(edge, made);
    return made;
  };
  const nodes = layer.nodes.map((node) => {
    const inputs = Object.fromEntries(
      Object.entries<Edge>(node.inputs).map(([name, edge]) => [name, edgeOf(edge)]),
    );
    const output = edgeOf(node.output);
    const groups = node.kind === 'norm' &&
      node.groups > 1 && { groups: output.width / (node.output.width / node.groups) };
    return { ...node, ...groups, ...(node.kind === 'attention' && { heads, kvHeads }), inputs, output };
  });
  return {
    ...layer,
    input: edgeOf(layer.input),
    output: edgeOf(layer.output),
    nodes: nodes as unknown as GraphNode[],
  };
}

/** Whether a node says which experts a token gets: there are as many of them as before. */
const routesTokens = (node: GraphNode): boolean =>
  node.kind === 'route' || (node.kind === 'linear' && node.router);

/** An edge and those before it up to the linear that computes it: all are made of heads. */
function wide(layer: LayerGraph, edge: Edge): Edge[] {
  const node = producerOf(layer, edge);
  return node === undefined || node.kind === 'linear' ? [edge] : [edge, ...wide(layer, readsOf(node)[0])];
}

/** Weights whose products keep the size of what they read. */
export function randomLayer(layer: LayerGraph): LayerWeights {
  const ones = (length: number) => hostTensor('float32', new Float32Array(length).fill(1));
  return {
    norms: new Map(
      nodesOf(layer, 'norm').map((node) => [
        node.name,
        { node, weight: ones(node.output.width / node.groups), bias: undefined },
      ]),
    ),
    linears: new Map(
      nodesOf(layer, 'linear').map((node, i) => {
        const { outputs, inputs } = linearRows('', node);
        const weight = floatWeight(randomMatrix(outputs, inputs, Math.sqrt(3 / inputs), i));
        return [node.name, { node, weight, bias: node.bias ? ones(outputs) : undefined }];
      }),
    ),
  };
}
