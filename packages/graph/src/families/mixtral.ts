import { readDecoder } from './decoder.ts';
import { readExperts } from './experts.ts';
import type { Family } from './family.ts';
import { count, readFields } from './fields.ts';
import { readWindow } from './windows.ts';

const NAMES = { prefix: 'block_sparse_moe', gate: 'w1', up: 'w3', down: 'w2' };

/** Mixtral (arXiv 2401.04088): experts in place of the MLP of every layer. */
export const mixtral: Family = {
  modelType: 'mixtral',
  title: 'Mixtral',
  read(given) {
    const json = {
      rms_norm_eps: 1e-5,
      sliding_window: null,
      num_local_experts: 8,
      num_experts_per_tok: 2,
      ...given,
    };
    const { intermediate_size: width } = readFields(json, { intermediate_size: count(2 ** 31 - 1) });
    const window = readWindow(json);
    return readDecoder(json, {
      theta: 1_000_000,
      window: () => window,
      experts: readExperts(json, {
        experts: json.num_local_experts,
        renormalised: true,
        width,
        names: NAMES,
      }),
    });
  },
};
