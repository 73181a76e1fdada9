/** Graphs: what the builder works out and refuses, and their pictures. */
import { describe, expect, it } from 'vitest';
import {
  buildGraph,
  mermaidGraphs,
  nodesOf,
  parseModel,
  printGraph,
  producerOf,
  readersOf,
  type Edge,
  type Graph,
  type GraphBuilder,
} from '../src/index.ts';
import { TINY_CONFIG } from './tiny.ts';

const X: Edge = { name: 'x', width: 12 };
const build = (body: (g: GraphBuilder, x: Edge) => Edge): Graph => buildGraph(X, body);

describe('the builder', () => {
  it('works out widths, and names each value by its node', () => {
    const { nodes, output } = build((g, x) => {
      const q = g.rotary(g.linear('q', x, 8), 4, 'rope');
      const k = g.linear('k', x, 4);
      return g.add(
        x,
        g.linear('o', g.attention('a', q, k, g.linear('v', x, 4), { heads: 2, kvHeads: 1 }), 12),
      );
    });
    expect(nodes.map((node) => [node.kind, node.name, node.output.width])).toEqual([
      ['linear', 'q', 8],
      ['rotary', 'q.rotary', 8],
      ['linear', 'k', 4],
      ['linear', 'v', 4],
      ['attention', 'a', 8],
      ['linear', 'o', 12],
      ['add', 'residual', 12],
    ]);
    expect(output).toBe(nodes.at(-1)!.output);
  });

  it('gives nodes without weights names of their own', () => {
    const { nodes } = build((g, x) => g.add(g.add(g.add(x, x), x), g.hadamard(g.hadamard(x))));
    const names = nodes.map(({ name }) => name);
    expect(names).toEqual(['residual', 'residual.2', 'x.hadamard', 'x.hadamard.hadamard', 'residual.3']);
    const twice = build((g, x) => g.add(g.activation('relu', x), g.activation('relu', x)));
    expect(twice.nodes.map(({ name }) => name)).toEqual(['x.relu', 'x.relu.2', 'residual']);
  });

  it('has the parameters of attention and norms that are not given', () => {
    const { nodes } = build((g, x) =>
      g.attention('a', g.rmsNorm('n', x, { eps: 1 }), x, x, { heads: 3, kvHeads: 3 }),
    );
    expect(nodes).toMatchObject([
      { kind: 'norm', of: 'rms', eps: 1, groups: 1, offset: 0, bias: false },
      { kind: 'attention', headSize: 4, scale: 0.5, window: 0, softcap: 0 },
    ]);
  });

  const attend = (g: GraphBuilder, q: number, k: number, v: number): Edge => {
    const edge = (name: string, width: number): Edge => ({ name, width });
    return g.attention('a', edge('q', q), edge('k', k), edge('v', v), { heads: 4, kvHeads: 2 });
  };
  it.each<{ what: string; body: (g: GraphBuilder, x: Edge) => Edge; message: string }>([
    {
      what: 'a sum of two widths',
      body: (g, x) => g.add(x, g.linear('l', x, 3)),
      message: 'graph: a sum of x [12] and l [3]',
    },
    {
      what: 'a gate of another width',
      body: (g, x) => g.gated('silu', x, g.linear('l', x, 3)),
      message: 'graph: a gate of x [12] and l [3]',
    },
    {
      what: 'two linears of one name',
      body: (g, x) => g.linear('l', g.linear('l', x, 12), 12),
      message: 'graph: two nodes l',
    },
    {
      what: 'a norm that has the name of another',
      body: (g, x) => g.rmsNorm('n', g.rmsNorm('n', x, { eps: 1 }), { eps: 1 }),
      message: 'graph: two nodes n',
    },
    {
      what: 'a norm of groups that do not fill the row',
      body: (g, x) => g.rmsNorm('n', x, { eps: 1, groups: 5 }),
      message: 'graph: a norm n of 5 groups in 12 channels',
    },
    {
      what: 'heads that do not fill the row',
      body: (g, x) => g.rotary(x, 8, 'rope'),
      message: 'graph: heads of 8 in x [12]',
    },
    {
      what: 'keys of another width than values',
      body: (g) => attend(g, 16, 8, 4),
      message: 'graph: attention of k [8] and v [4]',
    },
    {
      what: 'keys of another head size than queries',
      body: (g) => attend(g, 16, 16, 16),
      message: 'graph: a: 4 heads of 16 channels with 2 of 16',
    },
    { what: 'no outputs', body: (g, x) => g.linear('l', x, 0), message: 'l: a width of 0' },
    { what: 'half an output', body: (g, x) => g.linear('l', x, 2.5), message: 'l: a width of 2.5' },
  ])('refuses $what', ({ body, message }) => {
    expect(() => build(body)).toThrow(message);
  });
});

it('finds who computes a value and who reads it', () => {
  const [layer] = parseModel(TINY_CONFIG).layers;
  const [norm] = nodesOf(layer, 'norm');
  expect(producerOf(layer, norm.output)).toBe(norm);
  expect(producerOf(layer, layer.input)).toBeUndefined();
  expect(readersOf(layer, norm.output).map(({ name }) => name)).toEqual([
    'self_attn.q_proj',
    'self_attn.k_proj',
    'self_attn.v_proj',
  ]);
  expect(readersOf(layer, layer.output)).toEqual([]);
});

describe('pictures', () => {
  const { layers, embed, head } = parseModel({ ...TINY_CONFIG, attention_bias: true });

  it('are a line a node', () => {
    expect(printGraph(layers[1])).toMatchInlineSnapshot(`
      "input x
      input_layernorm [16] = RMSNorm, eps 0.000001 (x)
      self_attn.q_proj [16] = linear 16 -> 16 + bias (input_layernorm)
      self_attn.q_proj.rotary [16] = rotary, heads of 4, table rope (self_attn.q_proj)
      self_attn.k_proj [8] = linear 16 -> 8 + bias (input_layernorm)
      self_attn.k_proj.rotary [8] = rotary, heads of 4, table rope (self_attn.k_proj)
      self_attn.v_proj [8] = linear 16 -> 8 + bias (input_layernorm)
      self_attn [16] = attention, 4 heads of 4 on 2 (self_attn.q_proj.rotary, self_attn.k_proj.rotary, self_attn.v_proj)
      self_attn.o_proj [16] = linear 16 -> 16 + bias (self_attn)
      residual [16] = add (x, self_attn.o_proj)
      post_attention_layernorm [16] = RMSNorm, eps 0.000001 (residual)
      mlp.gate_proj [24] = linear 16 -> 24 (post_attention_layernorm)
      mlp.up_proj [24] = linear 16 -> 24 (post_attention_layernorm)
      mlp.gate_proj.gated [24] = silu(gate) up (mlp.gate_proj, mlp.up_proj)
      mlp.down_proj [16] = linear 24 -> 16 (mlp.gate_proj.gated)
      residual.2 [16] = add (residual, mlp.down_proj)
      output residual.2"
    `);
    expect([embed, head].map(printGraph).join('\n\n')).toMatchInlineSnapshot(`
      "input ids
      model.embed_tokens [16] = embedding of 31 rows (ids)
      output model.embed_tokens

      input x
      model.norm [16] = RMSNorm, eps 0.000001 (x)
      model.embed_tokens [31] = head 16 -> 31 (model.norm)
      output model.embed_tokens"
    `);
  });

  it('are flowcharts', () => {
    expect(mermaidGraphs([{ graph: layers[0], title: 'layers 0 to 1' }])).toMatchInlineSnapshot(`
      "flowchart TD
        g0n0(["x"])
        subgraph "layers 0 to 1"
          g0n1["input_layernorm<br/>RMSNorm, eps 0.000001"]
          g0n2["self_attn.q_proj<br/>linear 16 -> 16 + bias"]
          g0n3["self_attn.q_proj.rotary<br/>rotary, heads of 4, table rope"]
          g0n4["self_attn.k_proj<br/>linear 16 -> 8 + bias"]
          g0n5["self_attn.k_proj.rotary<br/>rotary, heads of 4, table rope"]
          g0n6["self_attn.v_proj<br/>linear 16 -> 8 + bias"]
          g0n7["self_attn<br/>attention, 4 heads of 4 on 2"]
          g0n8["self_attn.o_proj<br/>linear 16 -> 16 + bias"]
          g0n9["residual<br/>add"]
          g0n10["post_attention_layernorm<br/>RMSNorm, eps 0.000001"]
          g0n11["mlp.gate_proj<br/>linear 16 -> 24"]
          g0n12["mlp.up_proj<br/>linear 16 -> 24"]
          g0n13["mlp.gate_proj.gated<br/>silu(gate) up"]
          g0n14["mlp.down_proj<br/>linear 24 -> 16"]
          g0n15["residual.2<br/>add"]
        end
        g0n0 -->|16| g0n1
        g0n1 -->|16| g0n2
        g0n2 -->|16| g0n3
        g0n1 -->|16| g0n4
        g0n4 -->|8| g0n5
        g0n1 -->|16| g0n6
        g0n3 -->|16| g0n7
        g0n5 -->|8| g0n7
        g0n6 -->|8| g0n7
        g0n7 -->|16| g0n8
        g0n0 -->|16| g0n9
        g0n8 -->|16| g0n9
        g0n9 -->|16| g0n10
        g0n10 -->|16| g0n11
        g0n10 -->|16| g0n12
        g0n11 -->|24| g0n13
        g0n12 -->|24| g0n13
        g0n13 -->|24| g0n14
        g0n9 -->|16| g0n15
        g0n14 -->|16| g0n15"
    `);
  });

  it('of embeddings say that ids come in', () => {
    expect(mermaidGraphs([{ graph: embed, title: 'ends' }])).toContain('g0n0 -->|ids| g0n1');
  });

  it('say what nodes of other families do', () => {
    const graph = build((g, x) => {
      const normed = g.layerNorm('n', g.rmsNorm('h', x, { eps: 1e-6, groups: 3, offset: 1 }), { eps: 1e-5 });
      const options = { heads: 3, kvHeads: 3, window: 7, softcap: 50 };
      return g.hadamard(g.activation('gelu_tanh', g.attention('a', normed, x, x, options)));
    });
    expect(printGraph(graph)).toMatchInlineSnapshot(`
      "input x
      h [12] = RMSNorm of each of 3 heads, weight 1 + w, eps 0.000001 (x)
      n [12] = LayerNorm, eps 0.00001 (h)
      a [12] = attention, 3 heads of 4 on 3, window 7, softcap 50 (n, x, x)
      a.gelu_tanh [12] = gelu_tanh (a)
      a.gelu_tanh.hadamard [12] = Hadamard rotation (a.gelu_tanh)
      output a.gelu_tanh.hadamard"
    `);
  });
});
