/** Operations of a decoder layer and its losses, each with the kernels of its gradient. */
import type { Attributes, DeviceTensor, KernelTable } from '@spikellm/backend';
import type { Rotation } from './rotation.ts';
import type { SpikeRounding } from './spike-rounding.ts';
import type { Recorder, Value } from './tape.ts';

/** H query heads, K key/value heads, D channels of a head. */
export interface Heads {
  readonly H: number;
  readonly K: number;
  readonly D: number;
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
  /** RMSNorm of x [N, C] with weight [C]. */
  rmsnorm(x: Value, weight: Value, eps: number): Value;
  /** LayerNorm of x [N, C] with weight and bias [C]. */
  layernorm(x: Value, weight: Value, bias: Value | undefined, eps: number): Value;
  /** gate sigmoid(gate) up, both [N, C]. */
  swiglu(gate: Value, up: Value): Value;
  /** ReLU, or GELU in its tanh form, of x [N, C]. */
  activation(x: Value, of: Attributes<KernelTable['activation_f32']>['of']): Value;
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

/** The operations that record on a tape. */
export function operationsOn({ runner, record }: Recorder): Operations {
  return {
    linear(x, weight, bias) {
      const inputs = { x: x.tensor, weight: weight.tensor, bias: bias?.tensor };
      return record(runner.run('linear_f32', inputs).y, {
        inputs: [x, weight, bias],
        saved: [...(weight.requiresGrad ? [x] : []), ...(x.requiresGrad ? [weight] : [])],
        backward(dy, gradients) {
          if (x.requiresGrad) gradients.give(x, runner.run('matmul_f32', { a: dy, b: weight.tensor }).y);
          if (weight.requiresGrad) {
            gradients.give(weight, runner.run('matmul_tn_f32', { a: dy, b: x.tensor }).y);
          }
          const sum = gradients.into(bias);
          if (sum) runner.run('column_sum_f32', { x: dy, sum });
        },
      });
    },

    add(a, b) {
      return record(runner.run('add_f32', { a: a.tensor, b: b.tensor }).y, {
        inputs: [a, b],
        saved: [],
        backward(dy, gradients) {
          gradients.give(a, dy);
          gradients.give(b, dy);
        },
      });
    },

    rmsnorm(x, weight, eps) {
      const inputs = { x: x.tensor, weight: weight.tensor };
      return record(runner.run('rmsnorm_f32', inputs, { eps }).y, {
        inputs: [x, weight],
        saved: [x, weight],
        backward(dy, gradients) {
          const dweight = gradients.into(weight);
          gradients.give(x, runner.run('rmsnorm_backward_f32', { ...inputs, dy, dweight }, { eps }).dx);
        },
      });
    },

    layernorm(x, weight, bias, eps) {
      const inputs = { x: x.tensor, weight: weight.tensor };
      const { y } = runner.run('layernorm_f32', { ...inputs, bias: bias?.tensor }, { eps });
      return record(y, {
        inputs: [x, weight, bias],
        saved: [x, weight],
        backward(dy, gradients) {
          const sums = { dweight: gradients.into(weight), dbias: gradients.into(bias) };
          gradients.give(x, runner.run('layernorm_backward_f32', { ...inputs, dy, ...sums }, { eps }).dx);
        },
      });
    },

    swiglu(gate, up) {
      const inputs = { gate: gate.tensor, up: up.tensor };
      return record(runner.run('swiglu_f32', inputs).y, {
        inputs: [gate, up],
        saved: [gate, up],
        backward(dy, gradients) {
          const { dgate, dup } = runner.run('swiglu_backward_f32', { ...inputs, dy });
          gradients.give(gate, dgate);
          gradients.give(up, dup);
        },
      });
    },

    activation(x, of) {
      return record(runner.run('activation_f32', { x: x.tensor }, { of }).y, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          gradients.give(x, runner.run('activation_backward_f32', { x: x.tensor, dy }, { of }).dx);
        },
      });
    },

    rope(x, { cos, sin, inverseSin }, { H, D }) {
      const rotate = (tensor: DeviceTensor, by: DeviceTensor): DeviceTensor =>
        runner.run('rope_f32', { x: tensor, cos, sin: by }, { H, D }, { position: 0 }).y;
      return record(rotate(x.tensor, sin), {
        inputs: [x],
        saved: [],
        backward: (dy, gradients) => gradients.give(x, rotate(dy, inverseSin)),
      });
    },

    attend(q, k, v, { H, K, D }, closed) {
      const attributes = { H, K, D, block: closed?.block ?? 1 };
      const inputs = { q: q.tensor, k: k.tensor, v: v.tensor, closed: closed?.keys.tensor };
      return record(runner.run('attend_window_f32', inputs, attributes).y, {
        inputs: [q, k, v, closed?.keys],
        saved: [q, k, v, ...(closed ? [closed.keys] : [])],
        backward(dy, gradients) {
          const dclosed = gradients.into(closed?.keys);
          const { dq, dk, dv } = runner.run(
            'attend_window_backward_f32',
            { ...inputs, dy, dclosed },
            attributes,
          );
          gradients.give(q, dq);
          gradients.give(k, dk);
          gradients.give(v, dv);
        },
      });
    },

    spikes(x, { forward, backward }) {
      return record(runner.apply(forward, { x: x.tensor }).y, {
        inputs: [x],
        saved: [x],
        backward: (dy, gradients) => gradients.give(x, runner.apply(backward, { x: x.tensor, dy }).dx),
      });
    },

    roundWeight(weight, { columns, rows, upper, lower }, weightBits) {
      const inputs = {
        weight: weight.tensor,
        columns: columns?.tensor,
        rows: rows?.tensor,
        upper: upper?.tensor,
        lower: lower?.tensor,
      };
      const all = [weight, columns, rows, upper, lower];
      return record(runner.run('weight_round_trip_f32', inputs, { weightBits }).y, {
        inputs: all,
        saved: all.filter((value) => value !== undefined),
        backward(dy, gradients) {
          const [dweight, dcolumns, drows, dupper, dlower] = all.map((value) => gradients.into(value));
          const sums = { dweight, dcolumns, drows, dupper, dlower };
          runner.run('weight_round_trip_backward_f32', { ...inputs, dy, ...sums }, { weightBits });
        },
      });
    },

    divide(a, divisor) {
      const inputs = { a: a.tensor, divisor: divisor.tensor };
      return record(runner.run('divide_f32', inputs).y, {
        inputs: [a, divisor],
        saved: [a, divisor],
        backward(dy, gradients) {
          const sums = { da: gradients.into(a), ddivisor: gradients.into(divisor) };
          runner.run('divide_backward_f32', { ...inputs, dy, ...sums });
        },
      });
    },

    gather(x, ids) {
      return record(runner.run('gather_f32', { ids, x: x.tensor }).y, {
        inputs: [x],
        saved: [],
        backward: (dy, gradients) =>
          void runner.run('gather_backward_f32', { ids, dy, dx: gradients.into(x)! }),
      });
    },

    embedding(ids, table) {
      return record(runner.run('embedding_f32', { ids, table: table.tensor }).y, {
        inputs: [table],
        saved: [],
        backward: (dy, gradients) =>
          void runner.run('embedding_backward_f32', { ids, dy, dtable: gradients.into(table)! }),
      });
    },

    squaredError(x, target) {
      return record(runner.run('squared_error_f32', { x: x.tensor, target }).y, {
        inputs: [x],
        saved: [x],
        backward: (dy, gradients) =>
          gradients.give(x, runner.run('squared_error_backward_f32', { x: x.tensor, target, dy }).dx),
      });
    },

    crossEntropy(logits, targets) {
      return record(runner.run('cross_entropy_f32', { logits: logits.tensor, targets }).y, {
        inputs: [logits],
        saved: [logits],
        backward: (dy, gradients) =>
          gradients.give(
            logits,
            runner.run('cross_entropy_backward_f32', { logits: logits.tensor, targets, dy }).dlogits,
          ),
      });
    },
  };
}
