/** Each operation with the kernels of its gradient. */
import type { DeviceTensor } from '@spikellm/backend';
import type { Operations } from './operations.ts';
import type { Recorder } from './value.ts';

/** The operations that record on a tape. */
export function operationsOn({ workspace, record }: Recorder): Operations {
  const { run, take, compute } = workspace;
  const { backend } = workspace.runner;
  /** A tensor of the shape of another, for a kernel to write. */
  const like = ({ dims }: DeviceTensor): DeviceTensor => take(dims);

  return {
    linear(x, weight, bias) {
      const computed = compute([x.tensor.dims[0], weight.tensor.dims[0]], (y) =>
        run('linear_f32', { x: x.tensor, weight: weight.tensor, bias: bias?.tensor, y }),
      );
      return record(computed, {
        inputs: [x, weight, bias],
        saved: [...(weight.requiresGrad ? [x] : []), ...(x.requiresGrad ? [weight] : [])],
        backward(dy, gradients) {
          if (x.requiresGrad) {
            const dx = like(x.tensor);
            run('matmul_f32', { a: dy, b: weight.tensor, y: dx });
            gradients.give(x, dx);
          }
          if (weight.requiresGrad) {
            const dweight = like(weight.tensor);
            run('matmul_tn_f32', { a: dy, b: x.tensor, y: dweight });
            gradients.give(weight, dweight);
          }
          const sum = gradients.into(bias);
          if (sum) run('column_sum_f32', { x: dy, sum });
        },
      });
    },

    add(a, b) {
      const computed = compute(a.tensor.dims, (y) => run('add_f32', { a: a.tensor, b: b.tensor, y }));
      return record(computed, {
        inputs: [a, b],
        saved: [],
        backward(dy, gradients) {
          gradients.give(a, dy);
          gradients.give(b, dy);
        },
      });
    },

    rmsnorm(x, weight, eps, H = 1) {
      const inputs = { x: x.tensor, weight: weight.tensor };
      const computed = compute(x.tensor.dims, (y) => run('rmsnorm_f32', { ...inputs, y }, { eps, H }));
      return record(computed, {
        inputs: [x, weight],
        saved: [x, weight],
        backward(dy, gradients) {
          const dx = like(dy);
          run('rmsnorm_backward_f32', { ...inputs, dy, dx, dweight: gradients.into(weight) }, { eps, H });
          gradients.give(x, dx);
        },
      });
    },

    layernorm(x, weight, bias, eps) {
      const inputs = { x: x.tensor, weight: weight.tensor };
      const computed = compute(x.tensor.dims, (y) =>
        run('layernorm_f32', { ...inputs, bias: bias?.tensor, y }, { eps }),
      );
      return record(computed, {
        inputs: [x, weight, bias],
        saved: [x, weight],
        backward(dy, gradients) {
          const dx = like(dy);
          const sums = { dweight: gradients.into(weight), dbias: gradients.into(bias) };
          run('layernorm_backward_f32', { ...inputs, dy, dx, ...sums }, { eps });
          gradients.give(x, dx);
        },
      });
    },

    gated(gate, up, of) {
      const inputs = { gate: gate.tensor, up: up.tensor };
      const computed = compute(gate.tensor.dims, (y) => run('gated_f32', { ...inputs, y }, { of }));
      return record(computed, {
        inputs: [gate, up],
        saved: [gate, up],
        backward(dy, gradients) {
          const [dgate, dup] = [like(dy), like(dy)];
          run('gated_backward_f32', { ...inputs, dy, dgate, dup }, { of });
          gradients.give(gate, dgate);
          gradients.give(up, dup);
        },
      });
    },

    hadamard(x) {
      const rotate = (from: DeviceTensor): DeviceTensor =>
        compute(from.dims, (y) => run('hadamard_f32', { x: from, y }));
      return record(rotate(x.tensor), {
        inputs: [x],
        saved: [],
        // The rotation is symmetric.
        backward: (dy, gradients) => gradients.give(x, rotate(dy)),
      });
    },

    scale(x, factor) {
      const times = (from: DeviceTensor): DeviceTensor =>
        compute(from.dims, (y) => run('scale_f32', { x: from, y }, { factor }));
      return record(times(x.tensor), {
        inputs: [x],
        saved: [],
        backward: (dy, gradients) => gradients.give(x, times(dy)),
      });
    },

    softcap(x, cap) {
      const computed = compute(x.tensor.dims, (y) => run('softcap_f32', { x: x.tensor, y }, { cap }));
      return record(computed, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          const dx = like(dy);
          run('softcap_backward_f32', { x: x.tensor, dy, dx }, { cap });
          gradients.give(x, dx);
        },
      });
    },

    route(x, routing) {
      const computed = compute(x.tensor.dims, (y) => run('route_f32', { x: x.tensor, y }, { ...routing }));
      return record(computed, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          const dx = like(dy);
          run('route_backward_f32', { x: x.tensor, dy, dx }, { ...routing });
          gradients.give(x, dx);
        },
      });
    },

    weigh(x, by, column) {
      const inputs = { x: x.tensor, by: by.tensor };
      const computed = compute(x.tensor.dims, (y) => run('weigh_f32', { ...inputs, y }, { column }));
      return record(computed, {
        inputs: [x, by],
        saved: [x, by],
        backward(dy, gradients) {
          const [dx, dby] = [like(dy), like(by.tensor)];
          run('weigh_backward_f32', { ...inputs, dy, dx, dby }, { column });
          gradients.give(x, dx);
          gradients.give(by, dby);
        },
      });
    },

    activation(x, of) {
      const computed = compute(x.tensor.dims, (y) => run('activation_f32', { x: x.tensor, y }, { of }));
      return record(computed, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          const dx = like(dy);
          run('activation_backward_f32', { x: x.tensor, dy, dx }, { of });
          gradients.give(x, dx);
        },
      });
    },

    rope(x, { cos, sin, inverseSin }, { H, D }) {
      const rotate = (from: DeviceTensor, by: DeviceTensor): DeviceTensor =>
        compute(from.dims, (y) => run('rope_f32', { x: from, cos, sin: by, y }, { H, D }, { position: 0 }));
      return record(rotate(x.tensor, sin), {
        inputs: [x],
        saved: [],
        backward: (dy, gradients) => gradients.give(x, rotate(dy, inverseSin)),
      });
    },

    attend(q, k, v, { H, K, D, scale = 1 / Math.sqrt(D), window = 0, softcap = 0 }, closed) {
      const attributes = { H, K, D, scale, window, softcap, block: closed?.block ?? 1 };
      const inputs = { q: q.tensor, k: k.tensor, v: v.tensor, closed: closed?.keys.tensor };
      const computed = compute(q.tensor.dims, (y) => run('attend_window_f32', { ...inputs, y }, attributes));
      return record(computed, {
        inputs: [q, k, v, closed?.keys],
        saved: [q, k, v, ...(closed ? [closed.keys] : [])],
        backward(dy, gradients) {
          const [dq, dk, dv] = [like(q.tensor), like(k.tensor), like(v.tensor)];
          const dclosed = gradients.into(closed?.keys);
          run('attend_window_backward_f32', { ...inputs, dy, dq, dk, dv, dclosed }, attributes);
          gradients.give(q, dq);
          gradients.give(k, dk);
          gradients.give(v, dv);
        },
      });
    },

    spikes(x, rounding) {
      const computed = compute(x.tensor.dims, (y) =>
        backend.dispatch(rounding.forward, { x: x.tensor, y }, {}),
      );
      return record(computed, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          const dx = like(dy);
          backend.dispatch(rounding.backward, { x: x.tensor, dy, dx }, {});
          gradients.give(x, dx);
        },
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
      const computed = compute(weight.tensor.dims, (y) =>
        run('weight_round_trip_f32', { ...inputs, y }, { weightBits }),
      );
      return record(computed, {
        inputs: all,
        saved: all.filter((value) => value !== undefined),
        backward(dy, gradients) {
          const [dweight, dcolumns, drows, dupper, dlower] = all.map((value) => gradients.into(value));
          const sums = { dweight, dcolumns, drows, dupper, dlower };
          run('weight_round_trip_backward_f32', { ...inputs, dy, ...sums }, { weightBits });
        },
      });
    },

    divide(a, divisor) {
      const inputs = { a: a.tensor, divisor: divisor.tensor };
      const computed = compute(a.tensor.dims, (y) => run('divide_f32', { ...inputs, y }));
      return record(computed, {
        inputs: [a, divisor],
        saved: [a, divisor],
        backward(dy, gradients) {
          const sums = { da: gradients.into(a), ddivisor: gradients.into(divisor) };
          run('divide_backward_f32', { ...inputs, dy, ...sums });
        },
      });
    },

    gather(x, ids) {
      const computed = compute(ids.dims, (y) => run('gather_f32', { ids, x: x.tensor, y }));
      return record(computed, {
        inputs: [x],
        saved: [],
        backward: (dy, gradients) => run('gather_backward_f32', { ids, dy, dx: gradients.into(x)! }),
      });
    },

    embedding(ids, table) {
      const computed = compute([ids.dims[0], table.tensor.dims[1]], (y) =>
        run('embedding_f32', { ids, table: table.tensor, y }),
      );
      return record(computed, {
        inputs: [table],
        saved: [],
        backward: (dy, gradients) =>
          run('embedding_backward_f32', { ids, dy, dtable: gradients.into(table)! }),
      });
    },

    squaredError(x, target) {
      const inputs = { x: x.tensor, target };
      const computed = compute([x.tensor.dims[0]], (y) => run('squared_error_f32', { ...inputs, y }));
      return record(computed, {
        inputs: [x],
        saved: [x],
        backward(dy, gradients) {
          const dx = like(x.tensor);
          run('squared_error_backward_f32', { ...inputs, dy, dx });
          gradients.give(x, dx);
        },
      });
    },

    crossEntropy(logits, targets) {
      const inputs = { logits: logits.tensor, targets };
      const computed = compute([logits.tensor.dims[0]], (y) => run('cross_entropy_f32', { ...inputs, y }));
      return record(computed, {
        inputs: [logits],
        saved: [logits],
        backward(dy, gradients) {
          const dlogits = like(logits.tensor);
          run('cross_entropy_backward_f32', { ...inputs, dy, dlogits });
          gradients.give(logits, dlogits);
        },
      });
    },
  };
}
