/** Pictures of all graphs of a model: the embedding, each layer graph once, the head. */
import {
  mermaidGraphs,
  printGraph,
  type LayerGraph,
  type ModelGraph,
  type TitledGraph,
} from '@spikellm/graph';

/** A paragraph a graph, under the layers that have it. */
export const graphText = (model: ModelGraph): string =>
  partsOf(model)
    .map(({ title, graph }) => `${title}\n${printGraph(graph)}`)
    .join('\n\n');

/** One flowchart with a box for each graph. */
export const graphMermaid = (model: ModelGraph): string => mermaidGraphs(partsOf(model));

const partsOf = ({ embed, layers, head }: ModelGraph): TitledGraph[] => [
  { title: 'embedding', graph: embed },
  ...distinctLayers(layers).map((alike) => ({ title: titleOf(alike), graph: alike[0] })),
  { title: 'head', graph: head },
];

/** Layers with the same nodes together, by the first of them. */
function distinctLayers(layers: readonly LayerGraph[]): LayerGraph[][] {
  const alike = new Map<LayerGraph['nodes'], LayerGraph[]>();
  for (const layer of layers) alike.set(layer.nodes, [...(alike.get(layer.nodes) ?? []), layer]);
  return [...alike.values()];
}

/** `layer 3`, `layers 0 to 4`, `layers 0 to 2, 4, 6 to 7`. */
function titleOf(layers: readonly LayerGraph[]): string {
  const runs: { from: number; to: number }[] = [];
  for (const { index } of layers) {
    const last = runs.at(-1);
    if (last?.to === index - 1) last.to = index;
    else runs.push({ from: index, to: index });
  }
  const shown = runs.map(({ from, to }) => (from === to ? String(from) : `${from} to ${to}`));
  return `${layers.length === 1 ? 'layer' : 'layers'} ${shown.join(', ')}`;
}
