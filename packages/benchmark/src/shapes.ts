/** Sizes of a decoder, in the words of config.json. */
export interface Shape {
  readonly hidden_size: number;
  readonly intermediate_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly num_key_value_heads: number;
  readonly vocab_size: number;
}

export const SHAPE_NAMES = ['tiny', '1.1b', '7b'] as const;
export type ShapeName = (typeof SHAPE_NAMES)[number];

/** `tiny` runs on any backend; `1.1b` has the sizes of TinyLlama, `7b` those of LLaMA 7B. */
export const SHAPES: Readonly<Record<ShapeName, Shape>> = {
  tiny: {
    hidden_size: 256,
    intermediate_size: 512,
    num_hidden_layers: 2,
    num_attention_heads: 8,
    num_key_value_heads: 4,
    vocab_size: 512,
  },
  '1.1b': {
    hidden_size: 2048,
    intermediate_size: 5632,
    num_hidden_layers: 22,
    num_attention_heads: 32,
    num_key_value_heads: 4,
    vocab_size: 32000,
  },
  '7b': {
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    num_key_value_heads: 32,
    vocab_size: 32000,
  },
};
