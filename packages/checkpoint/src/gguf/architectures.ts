import {
  gemma2Config,
  gemma3Config,
  graniteConfig,
  llamaConfig,
  olmo2Config,
  phi3Config,
  qwen2Config,
  qwen3Config,
  qwen3MoeConfig,
  smollm3Config,
  type ConfigOf,
} from './config.ts';
import { unsupported } from './errors.ts';

/** What converters did to a model of one architecture, so that it can be undone. */
export interface Architecture {
  readonly config: ConfigOf;
  /** Parts of a layer's tensors: the file's name to that of Hugging Face. */
  readonly layer: Readonly<Record<string, string>>;
  /** Parts of which a layer has one for each expert, in one tensor or in many; `#` is the expert. */
  readonly experts?: Readonly<Record<string, string>>;
  /** Rows of q and k are turned from halves of a head into neighbouring pairs. */
  readonly pairsRows?: true;
  /** One is added to the weights of norms. */
  readonly addsToNorms?: true;
}

const ATTENTION = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
};
const HEAD_NORMS = { attn_q_norm: 'self_attn.q_norm', attn_k_norm: 'self_attn.k_norm' };
const MLP = { ffn_gate: 'mlp.gate_proj', ffn_up: 'mlp.up_proj', ffn_down: 'mlp.down_proj' };
const LLAMA = { ...ATTENTION, ...MLP, ffn_norm: 'post_attention_layernorm' };
const OUTPUT_NORMS = {
  post_attention_norm: 'post_attention_layernorm',
  post_ffw_norm: 'post_feedforward_layernorm',
};
const GEMMA = { ...ATTENTION, ...MLP, ...OUTPUT_NORMS, ffn_norm: 'pre_feedforward_layernorm' };

/** What `general.architecture` may be. */
export const ggufArchitectures = (): string[] => Object.keys(ARCHITECTURES);

/** By general.architecture. Source: the converters of llama.cpp, and gguf-py's tensor_mapping.py. */
const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  llama: {
    config: llamaConfig,
    layer: { ...LLAMA, ffn_gate_inp: 'block_sparse_moe.gate' },
    experts: {
      ffn_gate: 'block_sparse_moe.experts.#.w1',
      ffn_down: 'block_sparse_moe.experts.#.w2',
      ffn_up: 'block_sparse_moe.experts.#.w3',
    },
    pairsRows: true,
  },
  qwen2: { config: qwen2Config, layer: LLAMA },
  qwen3: { config: qwen3Config, layer: { ...LLAMA, ...HEAD_NORMS } },
  qwen3moe: {
    config: qwen3MoeConfig,
    layer: { ...LLAMA, ...HEAD_NORMS, ffn_gate_inp: 'mlp.gate' },
    experts: {
      ffn_gate: 'mlp.experts.#.gate_proj',
      ffn_down: 'mlp.experts.#.down_proj',
      ffn_up: 'mlp.experts.#.up_proj',
    },
  },
  smollm3: { config: smollm3Config, layer: LLAMA, pairsRows: true },
  granite: { config: graniteConfig, layer: LLAMA, pairsRows: true },
  olmo2: { config: olmo2Config, layer: { ...ATTENTION, ...MLP, ...HEAD_NORMS, ...OUTPUT_NORMS } },
  phi3: {
    config: phi3Config,
    layer: { ...LLAMA, attn_qkv: 'self_attn.qkv_proj', ffn_up: 'mlp.gate_up_proj' },
  },
  gemma2: { config: gemma2Config, layer: GEMMA, addsToNorms: true },
  gemma3: { config: gemma3Config, layer: { ...GEMMA, ...HEAD_NORMS }, addsToNorms: true },
};

/** The architecture of a name. Errors: UNSUPPORTED. */
export function architectureOf(path: string, name: string): Architecture {
  if (Object.hasOwn(ARCHITECTURES, name)) return ARCHITECTURES[name];
  const expected = `general.architecture among ${Object.keys(ARCHITECTURES).join(', ')}`;
  throw unsupported(path, expected, name, 'a model of another family cannot be read from GGUF yet');
}
