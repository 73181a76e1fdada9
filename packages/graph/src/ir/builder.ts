/** Builds graphs. Shapes are worked out, and held against each other, as nodes are added. */
import type { Activation } from '@spikellm/backend';
import type { Edge, Graph, GraphNode, NodeKind, NodeOfKind } from './nodes.ts';

/** Options of a norm; `groups` is 1, `offset` 0 and `bias` false where they are not given. */
export interface NormOptions {
  readonly eps: number;
  readonly groups?: number;
  readonly offset?: 0 | 1;
}

export interface AttentionOptions {
  readonly heads: number;
  readonly kvHeads: number;
  /** 1 / sqrt(size of a head) where it is not given. */
  readonly scale?: number;
  readonly window?: number;
  readonly softcap?: number;
}

/** Calls that each add a node and return what it computes. `name` is the place of the weights, without `.weight`. */
export interface GraphBuilder {
  embedding(name: string, ids: Edge, rows: number, width: number): Edge;
  /** Of the tokens of `ids`. @param first - the row of the first position */
  positions(name: string, ids: Edge, rows: number, width: number, first: number): Edge;
  rmsNorm(name: string, x: Edge, options: NormOptions): Edge;
  layerNorm(name: string, x: Edge, options: NormOptions & { readonly bias?: boolean }): Edge;
  linear(name: string, x: Edge, outputs: number, options?: { readonly bias?: boolean }): Edge;
  /** The linear of a head, whose rows are a table of the vocabulary. */
  head(name: string, x: Edge, rows: number): Edge;
  /** @param width - channels of each head that are rotated; all where it is not given */
  rotary(x: Edge, headSize: number, table: string, width?: number): Edge;
  attention(name: string, q: Edge, k: Edge, v: Edge, options: AttentionOptions): Edge;
  gated(of: Activation, gate: Edge, up: Edge): Edge;
  activation(of: Activation, x: Edge): Edge;
  scale(x: Edge, factor: number): Edge;
  softcap(x: Edge, cap: number): Edge;
  add(a: Edge, b: Edge): Edge;
  hadamard(x: Edge): Edge;
}

/** A graph from the calls of `body`. Throws an `Error` for calls that do not fit together: those are mistakes of a family. */
export function buildGraph(input: Edge, body: (g: GraphBuilder, x: Edge) => Edge): Graph {
  const nodes: GraphNode[] = [];
  const names = new Set<string>();

  function add<Kind extends NodeKind>(
    kind: Kind,
    name: string,
    width: number,
    rest: Omit<NodeOfKind<Kind>, 'kind' | 'name' | 'output'>,
  ): Edge {
    if (!(Number.isSafeInteger(width) && width > 0)) throw new Error(`${name}: a width of ${width}`);
    const output: Edge = { name: unused(name), width };
    names.add(output.name);
    nodes.push({ kind, name: output.name, output, ...rest } as unknown as GraphNode);
    return output;
  }
  /** Weights need the name that they were given; what has none takes the next one that is free. */
  function unused(name: string): string {
    let free = name;
    for (let i = 2; names.has(free); i++) free = `${name}.${i}`;
    return free;
  }
  const must = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`graph: ${what}`);
  };
  const same = (what: string, a: Edge, b: Edge): void =>
    must(a.width === b.width, `${what} of ${a.name} [${a.width}] and ${b.name} [${b.width}]`);
  const norm = (
    of: 'rms' | 'layer',
    name: string,
    x: Edge,
    { eps, groups = 1, offset = 0, bias = false }: NormOptions & { readonly bias?: boolean },
  ): Edge => {
    must(!names.has(name), `two nodes ${name}`);
    must(x.width % groups === 0, `a norm ${name} of ${groups} groups in ${x.width} channels`);
    return add('norm', name, x.width, { inputs: { x }, of, eps, groups, offset, bias });
  };
  const linear = (name: string, x: Edge, outputs: number, bias: boolean, table: boolean): Edge => {
    must(!names.has(name), `two nodes ${name}`);
    return add('linear', name, outputs, { inputs: { x }, bias, table });
  };

  const g: GraphBuilder = {
    embedding: (name, ids, rows, width) => add('embedding', name, width, { inputs: { ids }, rows }),
    positions: (name, ids, rows, width, first) =>
      add('positions', name, width, { inputs: { ids }, rows, first }),
    rmsNorm: (name, x, options) => norm('rms', name, x, options),
    layerNorm: (name, x, options) => norm('layer', name, x, options),
    linear: (name, x, outputs, { bias = false } = {}) => linear(name, x, outputs, bias, false),
    head: (name, x, rows) => linear(name, x, rows, false, true),
    rotary(x, headSize, table, width = headSize) {
      must(x.width % headSize === 0, `heads of ${headSize} in ${x.name} [${x.width}]`);
      must(width % 2 === 0 && width <= headSize, `a rotation of ${width} channels in heads of ${headSize}`);
      return add('rotary', `${x.name}.rotary`, x.width, { inputs: { x }, headSize, width, table });
    },
    attention(name, q, k, v, { heads, kvHeads, scale, window = 0, softcap = 0 }) {
      const headSize = q.width / heads;
      same('attention', k, v);
      must(
        Number.isInteger(headSize) && heads % kvHeads === 0 && k.width === kvHeads * headSize,
        `${name}: ${heads} heads of ${q.width} channels with ${kvHeads} of ${k.width}`,
      );
      return add('attention', name, q.width, {
        inputs: { q, k, v },
        heads,
        kvHeads,
        headSize,
        scale: scale ?? 1 / Math.sqrt(headSize),
        window,
        softcap,
      });
    },
    gated(of, gate, up) {
      same('a gate', gate, up);
      return add('gated', `${gate.name}.gated`, gate.width, { inputs: { gate, up }, of });
    },
    activation: (of, x) => add('activation', `${x.name}.${of}`, x.width, { inputs: { x }, of }),
    add(a, b) {
      same('a sum', a, b);
      return add('add', 'residual', a.width, { inputs: { a, b } });
    },
    scale: (x, factor) => add('scale', `${x.name}.scaled`, x.width, { inputs: { x }, factor }),
    softcap: (x, cap) => add('softcap', `${x.name}.capped`, x.width, { inputs: { x }, cap }),
    hadamard: (x) => add('hadamard', `${x.name}.hadamard`, x.width, { inputs: { x } }),
  };
  const output = body(g, input);
  return { input, output, nodes };
}
