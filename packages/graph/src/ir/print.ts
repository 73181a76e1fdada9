/** Pictures of graphs: a line a node, and Mermaid. */
import { readsOf, type Graph, type GraphNode, type NodeKind, type NodeOfKind } from './nodes.ts';

const DESCRIBE: { readonly [Kind in NodeKind]: (node: NodeOfKind<Kind>) => string } = {
  embedding: ({ rows }) => `embedding of ${rows} rows`,
  positions: ({ rows, first }) => `positions, from row ${first} of ${rows}`,
  norm({ of, groups, offset, bias, eps }) {
    const name = of === 'rms' ? 'RMSNorm' : 'LayerNorm';
    const heads = groups > 1 ? ` of each of ${groups} heads` : '';
    return `${name}${heads}${offset === 1 ? ', weight 1 + w' : ''}${bias ? ' + bias' : ''}, eps ${eps}`;
  },
  linear: ({ table, bias, inputs, output }) =>
    `${table ? 'head' : 'linear'} ${inputs.x.width} -> ${output.width}${bias ? ' + bias' : ''}`,
  rotary: ({ headSize, width, table }) =>
    `rotary, ${width < headSize ? `${width} channels of ` : ''}heads of ${headSize}, table ${table}`,
  attention({ heads, kvHeads, headSize, scale, window, softcap }) {
    const own = scale === 1 / Math.sqrt(headSize) ? '' : `, scale ${scale}`;
    const limits = `${window > 0 ? `, window ${window}` : ''}${softcap > 0 ? `, softcap ${softcap}` : ''}`;
    return `attention, ${heads} heads of ${headSize} on ${kvHeads}${own}${limits}`;
  },
  gated: ({ of }) => `${of}(gate) up`,
  activation: ({ of }) => of,
  add: () => 'add',
  scale: ({ factor }) => `times ${factor}`,
  softcap: ({ cap }) => `softcap ${cap}`,
  hadamard: () => 'Hadamard rotation',
};

/** What a node does, with its parameters: `attention, 4 heads of 12 on 2, window 7`. */
export const describeNode = (node: GraphNode): string =>
  (DESCRIBE[node.kind] as (node: GraphNode) => string)(node);

/** A line a node: `self_attn.q_proj [48] = linear 48 -> 48 (input_layernorm)`. */
export function printGraph({ input, output, nodes }: Graph): string {
  const lines = nodes.map((node) => {
    const reads = readsOf(node).map(({ name }) => name);
    return `${node.output.name} [${node.output.width}] = ${describeNode(node)} (${reads.join(', ')})`;
  });
  return [`input ${input.name}`, ...lines, `output ${output.name}`].join('\n');
}

/** A graph under its name. */
export interface TitledGraph {
  readonly title: string;
  readonly graph: Graph;
}

/** One flowchart in Mermaid's language, with a box for each graph. */
export const mermaidGraphs = (graphs: readonly TitledGraph[]): string =>
  ['flowchart TD', ...graphs.flatMap((titled, index) => mermaidLines(titled, `g${index}`))].join('\n');

function mermaidLines({ title, graph: { input, nodes } }: TitledGraph, prefix: string): string[] {
  const edges = [input, ...nodes.map((node) => node.output)];
  const ids = new Map(edges.map((edge, i) => [edge, `${prefix}n${i}`]));
  const box = (id: string, text: string): string => `    ${id}["${text.replaceAll('"', '#quot;')}"]`;
  const boxes = nodes.map((node) => box(ids.get(node.output)!, `${node.name}<br/>${describeNode(node)}`));
  const arrows = nodes.flatMap((node) =>
    readsOf(node).map((edge) => `  ${ids.get(edge)!} -->|${edge.width || 'ids'}| ${ids.get(node.output)!}`),
  );
  return [`  ${ids.get(input)!}(["${input.name}"])`, `  subgraph "${title}"`, ...boxes, '  end', ...arrows];
}
