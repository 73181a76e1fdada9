import { readDecoder } from './decoder.ts';
import type { Family } from './family.ts';
import { unsupported, type Json } from './fields.ts';
import { readWindow } from './windows.ts';

/** Phi-3, 3.5 and 4 mini (arXiv 2404.14219): q, k, v and gate, up stored as one; LongRoPE, over a part of each head in some. */
export const phi3: Family = {
  modelType: 'phi3',
  title: 'Phi-3, Phi-3.5, Phi-4',
  read(given) {
    const json = { rms_norm_eps: 1e-5, sliding_window: null, ...given, ...newerNames(given) };
    const window = readWindow(json);
    const decoder = readDecoder(json, { window: () => window });
    const { type } = decoder.rotary.rope.scaling;
    if (type !== 'none' && type !== 'longrope') throw unsupported("rope_scaling of type 'longrope'", type);
    return {
      ...decoder,
      stacked: {
        'self_attn.qkv_proj': ['self_attn.q_proj', 'self_attn.k_proj', 'self_attn.v_proj'],
        'mlp.gate_up_proj': ['mlp.gate_proj', 'mlp.up_proj'],
      },
    };
  },
};

/** The first models called their scaling by other names. */
function newerNames({ rope_scaling: scaling }: Json): Json {
  if (typeof scaling !== 'object' || scaling === null) return {};
  const { type, ...fields } = scaling as Json;
  return type === 'su' || type === 'yarn' ? { rope_scaling: { ...fields, type: 'longrope' } } : {};
}
