/** What a tape can compute: the operations of a decoder layer and its losses. */
import type { Activation, DeviceTensor } from '@spikellm/backend';
import type { Rotation } from './rotation.ts';
import type { SpikeRounding } from './spike-rounding.ts';
import type { Value } from './value.ts';

/** H query heads, K key/value heads, D channels of a head; and how scores are made, as `attend_window_f32` has it. */
export interface Heads {
  readonly H: number;
  readonly K: number;
  readonly D: number;
  /** 1 / sqrt(D) by default. */
  readonly scale?: number;
  /** 0 by default: every earlier token. */
  readonly window?: number;
  /** 0 by default: none. */
  readonly softcap?: number;
}

/** How many experts a token goes to, and whether their parts are made to add up to 1. */
export interface Routing {
  readonly top: number;
  readonly renormalised: boolean;
}

/** What is trained of a weight [O, C]: it becomes weight columns[c] rows[o], then its range is clipped. */
export interface WeightTraining {
  /** [C]: equivalent scales of the input channels. */
  readonly columns?: Value | undefined;
  /** [O]: equivalent scales of the output channels. */
  readonly rows?: Value | undefined;
  /** [O]: the row's largest value becomes sigmoid(upper) of it. */
  readonly upper?: Value | undefined;
  /** [O]: the row's smallest value becomes sigmoid(lower) of it. */
  readonly lower?: Value | undefined;
}

/** Keys as later blocks of tokens see them; each query sees the keys of its own block in float. */
export interface ClosedKeys {
  readonly keys: Value;
  readonly block: number;
}

/** N tokens, C input and O output channels, V vocabulary. Errors of shapes and types are those of the kernels. */
export interface Operations {
  /** x [N, C] weight [O, C]^T + bias [O]. */
  linear(x: Value, weight: Value, bias?: Value): Value;
  /** a + b, both [N, C]. */
  add(a: Value, b: Value): Value;
  /** RMSNorm of x [N, H C] with weight [C], each of the H groups (1 by default) by itself. */
  rmsnorm(x: Value, weight: Value, eps: number, H?: number): Value;
  /** LayerNorm of x [N, C] with weight and bias [C]. */
  layernorm(x: Value, weight: Value, bias: Value | undefined, eps: number): Value;
  /** a(gate) up, both [N, C], a the activation `of`. */
  gated(gate: Value, up: Value, of: Activation): Value;
  /** x [N, C] rotated by `hadamard_f32`. */
  hadamard(x: Value): Value;
  /** x [N, C] times a number. */
  scale(x: Value, factor: number): Value;
  /** cap tanh(x / cap) of x [N, C]. */
  softcap(x: Value, cap: number): Value;
  /** The part of each of E experts in what a token gets, from x [N, E], as `route_f32` has it. */
  route(x: Value, routing: Routing): Value;
  /** x [N, C] times a column of by [N, E]. */
  weigh(x: Value, by: Value, column: number): Value;
  /** The activation `of` of x [N, C]. */
  activation(x: Value, of: Activation): Value;
  /** Rotary embedding of x [N, H D] from position 0 on. */
  rope(x: Value, rotation: Rotation, heads: { readonly H: number; readonly D: number }): Value;
  /** Causal attention of one window: q [N, H D], k and v [N, K D]. */
  attend(q: Value, k: Value, v: Value, heads: Heads, closed?: ClosedKeys): Value;
  /** What a spike train carries of x [N, H D], straight-through. */
  spikes(x: Value, rounding: SpikeRounding): Value;
  /** A weight [O, C] scaled, clipped and rounded to `weightBits` bits (16: not rounded), straight-through. */
  roundWeight(weight: Value, training: WeightTraining, weightBits: number): Value;
  /** a / divisor, both [C]. */
  divide(a: Value, divisor: Value): Value;
  /** x [V] at ids [N] (int32). */
  gather(x: Value, ids: DeviceTensor): Value;
  /** Rows of table [V, C] at ids [N] (int32). */
  embedding(ids: DeviceTensor, table: Value): Value;
  /** Mean over channels of (x - target)^2, both [N, C]: a loss [N]. */
  squaredError(x: Value, target: DeviceTensor): Value;
  /** -log softmax(logits [N, V]) at targets [N] (int32): a loss [N]. */
  crossEntropy(logits: Value, targets: DeviceTensor): Value;
}
