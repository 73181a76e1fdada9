/** Pictures of graphs: a line a node, and Mermaid. */
import { readsOf, type Graph, type GraphNode } from './nodes.ts';

/** What a node does, with its parameters: `attention 4 heads of 12 on 2, window 7`. */
export function describeNode(node: GraphNode): string {
  switch (node.kind) {
    case 'embedding':
      return `embedding of ${node.rows} rows`;
    case 'norm': {
      const name = node.of === 'rms' ? 'RMSNorm' : 'LayerNorm';
      const heads = node.groups > 1 ? ` of each of ${node.groups} heads` : '';
      return `${name}${heads}${node.offset === 1 ? ', weight 1 + w' : ''}, eps ${node.eps}`;
    }
    case 'linear':
      return `${node.table ? 'head' : 'linear'} ${node.inputs.x.width} -> ${node.output.width}${node.bias ? ' + bias' : ''}`;
    case 'rotary':
      return `rotary, heads of ${node.headSize}, table ${node.table}`;
    case 'attention': {
      const { heads, kvHeads, headSize, window, softcap } = node;
      const limits = `${window > 0 ? `, window ${window}` : ''}${softcap > 0 ? `, softcap ${softcap}` : ''}`;
      return `attention, ${heads} heads of ${headSize} on ${kvHeads}${limits}`;
    }
    case 'gated':
      return `${node.of}(gate) up`;
    case 'activation':
      return node.of;
    case 'add':
      return 'add';
    case 'hadamard':
      return 'Hadamard rotation';
  }
}

/** A line a node: `self_attn.q_proj [48] = linear 48 -> 48 (input_layernorm)`. */
export function printGraph({ input, output, nodes }: Graph): string {
  const lines = nodes.map((node) => {
    const reads = readsOf(node).map(({ name }) => name);
    return `${node.output.name} [${node.output.width}] = ${describeNode(node)} (${reads.join(', ')})`;
  });
  return [`input ${input.name}`, ...lines, `output ${output.name}`].join('\n');
}

/** A flowchart in Mermaid's language. @param title - of the box around the nodes */
export function mermaidGraph({ input, nodes }: Graph, title: string): string {
  const ids = new Map([input, ...nodes.map((node) => node.output)].map((edge, i) => [edge, `n${i}`]));
  const box = (id: string, text: string): string => `    ${id}["${text.replaceAll('"', '#quot;')}"]`;
  const boxes = nodes.map((node) =>
    box(ids.get(node.output)!, `${node.name}<br/>${describeNode(node)}`),
  );
  const arrows = nodes.flatMap((node) =>
    readsOf(node).map((edge) => `  ${ids.get(edge)!} -->|${edge.width || 'ids'}| ${ids.get(node.output)!}`),
  );
  return [
    'flowchart TD',
    `  ${ids.get(input)!}(["${input.name}"])`,
    `  subgraph "${title}"`,
    ...boxes,
    '  end',
    ...arrows,
  ].join('\n');
}
