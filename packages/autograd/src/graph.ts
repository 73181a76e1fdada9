/** Interprets the graph of a model on a tape: the float computation, with hooks for weights that are trained and for spikes. */
import type { Runner } from '@spikellm/backend';
import {
  rotaryAngles,
  type Edge,
  type Graph,
  type GraphNode,
  type LinearNode,
  type NodeKind,
  type NodeOfKind,
  type NormNode,
  type RotaryTable,
} from '@spikellm/graph';
import { createRotation, type Rotation } from './rotation.ts';
import type { Tape } from './tape.ts';
import type { Value } from './value.ts';

/** A weight and its bias on a tape. */
export interface TapeWeight {
  readonly weight: Value;
  readonly bias?: Value | undefined;
}

/** What a pass does in its own way. */
export interface TapeHooks {
  /** Of a linear, [O, C] and [O]; it may have more outputs than the node where heads are repeated. */
  linear(tape: Tape, node: LinearNode): TapeWeight;
  norm(tape: Tape, node: NormNode): TapeWeight;
  /**
   * What becomes of a tensor that spikes may carry: the input of a linear by the linear's name, or `query`, `key` and
   * `value` of attention, keys and queries after RoPE. What they are without it.
   */
  carry?(tape: Tape, place: string, x: Value): Value;
  /** Tokens of a block of keys: a query sees the keys of its own block as they were before `carry`. */
  readonly keyBlock?: number | undefined;
}

/** A graph that is ready for tapes. */
export interface TapeGraph {
  /** x [length, width] to the output of the graph. */
  forward(tape: Tape, x: Value, hooks: TapeHooks): Value;
}

/** What nodes look up. */
interface Pass {
  readonly tape: Tape;
  readonly hooks: TapeHooks;
  readonly rotations: ReadonlyMap<string, Rotation>;
  readonly at: (edge: Edge) => Value;
}

const refuseTokens = (): never => {
  throw new Error('graph: tokens have no gradient; begin with what enters the first layer');
};

const RECORD: { readonly [Kind in NodeKind]: (node: NodeOfKind<Kind>, pass: Pass) => Value } = {
  embedding: refuseTokens,
  positions: refuseTokens,

  norm(node, { tape, hooks, at }) {
    const { weight, bias } = hooks.norm(tape, node);
    const x = at(node.inputs.x);
    return node.of === 'rms'
      ? tape.rmsnorm(x, weight, node.eps, x.tensor.dims[1] / weight.tensor.dims[0])
      : tape.layernorm(x, weight, bias, node.eps);
  },

  linear(node, { tape, hooks, at }) {
    const { weight, bias } = hooks.linear(tape, node);
    const x = at(node.inputs.x);
    return tape.linear(hooks.carry?.(tape, node.name, x) ?? x, weight, bias);
  },

  rotary({ inputs, headSize: D, table }, { tape, rotations, at }) {
    const x = at(inputs.x);
    return tape.rope(x, rotations.get(table)!, { H: x.tensor.dims[1] / D, D });
  },

  attention({ inputs, headSize: D, scale, window, softcap }, { tape, hooks, at }) {
    const [q, k, v] = [at(inputs.q), at(inputs.k), at(inputs.v)];
    const carried = (place: string, x: Value): Value => hooks.carry?.(tape, place, x) ?? x;
    const key = carried('key', k);
    const [query, value] = [carried('query', q), carried('value', v)];
    const heads = { H: q.tensor.dims[1] / D, K: k.tensor.dims[1] / D, D, scale, window, softcap };
    const { keyBlock: block } = hooks;
    return block === undefined
      ? tape.attend(query, key, value, heads)
      : tape.attend(query, k, value, heads, { keys: key, block });
  },

  gated: ({ inputs, of }, { tape, at }) => tape.gated(at(inputs.gate), at(inputs.up), of),
  activation: ({ inputs, of }, { tape, at }) => tape.activation(at(inputs.x), of),
  scale: ({ inputs, factor }, { tape, at }) => tape.scale(at(inputs.x), factor),
  softcap: ({ inputs, cap }, { tape, at }) => tape.softcap(at(inputs.x), cap),
  add: ({ inputs }, { tape, at }) => tape.add(at(inputs.a), at(inputs.b)),
  hadamard: ({ inputs }, { tape, at }) => tape.hadamard(at(inputs.x)),
};

/**
 * Makes a graph ready for windows of `length` tokens. What is uploaded lives as long as the runner.
 *
 * @param rotary - the tables of the model
 */
export function prepareTapeGraph(
  runner: Runner,
  { input, output, nodes }: Graph,
  rotary: Readonly<Record<string, RotaryTable>>,
  length: number,
): TapeGraph {
  const used = new Set(nodes.flatMap((node) => (node.kind === 'rotary' ? [node.table] : [])));
  const rotations = new Map(
    [...used].map((name) => {
      const { cos, sin } = rotaryAngles(rotary[name], length);
      return [name, createRotation(runner, cos.data as Float32Array, sin.data as Float32Array, length)];
    }),
  );
  return {
    forward(tape, x, hooks) {
      const values = new Map([[input, x]]);
      const pass: Pass = { tape, hooks, rotations, at: (edge) => values.get(edge)! };
      for (const node of nodes) {
        const record = RECORD[node.kind] as (node: GraphNode, pass: Pass) => Value;
        values.set(node.output, record(node, pass));
      }
      return values.get(output)!;
    },
  };
}
