import * as v from 'valibot';
import { readDecoder } from './decoder.ts';
import { readExperts } from './experts.ts';
import type { Family } from './family.ts';
import { count, flag, readFields } from './fields.ts';
import { readWindows } from './windows.ts';

const NAMES = { prefix: 'mlp', gate: 'gate_proj', up: 'up_proj', down: 'down_proj' };
const LIST = 'to be a list of layers';

/** Qwen3 with experts (arXiv 2505.09388) in place of the MLP, in all layers or in some. */
export const qwen3Moe: Family = {
  modelType: 'qwen3_moe',
  title: 'Qwen3 with experts',
  read(json) {
    const read = readFields(json, {
      attention_bias: flag,
      norm_topk_prob: flag,
      moe_intermediate_size: count(2 ** 31 - 1),
      decoder_sparse_step: v.nullish(count(), 1),
      mlp_only_layers: v.nullish(v.array(v.number(LIST), LIST), []),
    });
    const { attention_bias: bias, mlp_only_layers: dense, decoder_sparse_step: step } = read;
    return readDecoder(json, {
      biases: { qkv: bias, o: bias },
      queryKeyNorms: 'heads',
      window: readWindows(json, () => true),
      experts: readExperts(json, {
        experts: json.num_experts ?? json.num_local_experts,
        renormalised: read.norm_topk_prob,
        width: read.moe_intermediate_size,
        names: NAMES,
      }),
      hasExperts: (index) => !dense.includes(index) && (index + 1) % step === 0,
    });
  },
};
