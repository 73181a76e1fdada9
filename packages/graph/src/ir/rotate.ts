/** Rotations that a model does as it runs. */
import type { LayerGraph, ModelGraph } from '../model.ts';
import { producerOf, type Edge, type Graph, type GraphNode } from './nodes.ts';

/** The model with a Hadamard rotation before each linear whose input no weight before it can rotate. */
export function rotateInputs(model: ModelGraph): ModelGraph {
  const rotated = new Map<readonly GraphNode[], readonly GraphNode[]>();
  const layers = model.layers.map((layer): LayerGraph => {
    const nodes = rotated.get(layer.nodes) ?? rotateNodes(layer);
    rotated.set(layer.nodes, nodes);
    return { ...layer, nodes };
  });
  return { ...model, config: { ...model.config, downRotation: 'hadamard' }, layers };
}

/** Whether the input of a linear has to be rotated as the model runs: what activations make, each channel by itself. */
export const rotatesOnline = (graph: Graph, input: Edge): boolean => {
  const kind = producerOf(graph, input)?.kind;
  return kind === 'gated' || kind === 'activation';
};

function rotateNodes(graph: Graph): GraphNode[] {
  const turned = new Map<Edge, Edge>();
  return graph.nodes.flatMap((node): GraphNode[] => {
    if (node.kind !== 'linear' || !rotatesOnline(graph, node.inputs.x)) return [node];
    const { x } = node.inputs;
    const known = turned.get(x);
    const output = known ?? { name: `${x.name}.hadamard`, width: x.width };
    turned.set(x, output);
    const linear = { ...node, inputs: { x: output } };
    if (known !== undefined) return [linear];
    return [{ kind: 'hadamard', name: output.name, inputs: { x }, output }, linear];
  });
}
