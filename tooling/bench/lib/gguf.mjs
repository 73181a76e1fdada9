// Writes a LLaMA of random weights as GGUF version 3, which llama.cpp loads: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
import { closeSync, openSync, renameSync, writeSync } from 'node:fs';

/**
 * Types of tensors: their number in the file, and blocks of `count` weights that a row is made of. `codes` fills all but
 * the scale of a block, a half-precision number at `scaleAt`; `deviation` is that of a weight when the scale is 1.
 */
const TYPES = {
  f32: { id: 0, count: 1, bytes: 4 },
  q4_0: {
    id: 2,
    count: 32,
    bytes: 18,
    scaleAt: 0,
    deviation: Math.sqrt(255 / 12),
    codes: (random) => random,
  },
  q8_0: {
    id: 8,
    count: 32,
    bytes: 34,
    scaleAt: 0,
    deviation: Math.sqrt(65535 / 12),
    codes: (random) => random,
  },
  tq2_0: { id: 35, count: 256, bytes: 66, scaleAt: 64, deviation: Math.sqrt(2 / 3), codes: ternaryByte },
};
const ALIGNMENT = 32;
/** Blocks that are made; a tensor repeats them. */
const BLOCKS = 4096;

/** Four ternary digits of two bits each. */
function ternaryByte(random) {
  let byte = 0;
  for (let rest = random % 81, shift = 0; shift < 8; shift += 2, rest = Math.floor(rest / 3)) {
    byte |= (rest % 3) << shift;
  }
  return byte;
}

/**
 * Tensors of a LLaMA as llama.cpp names them: innermost dimension first.
 *
 * @param shape - sizes in the words of config.json
 * @param linears - the type of all linears: 'q4_0' or 'tq2_0'; embedding and head are 'q8_0'
 */
export function llamaTensors(shape, linears) {
  const { hidden_size: C, intermediate_size: F, vocab_size: V } = shape;
  const KV = (C / shape.num_attention_heads) * shape.num_key_value_heads;
  const layer = (i) => [
    { name: `blk.${i}.attn_norm.weight`, type: 'f32', dims: [C] },
    { name: `blk.${i}.attn_q.weight`, type: linears, dims: [C, C] },
    { name: `blk.${i}.attn_k.weight`, type: linears, dims: [C, KV] },
    { name: `blk.${i}.attn_v.weight`, type: linears, dims: [C, KV] },
    { name: `blk.${i}.attn_output.weight`, type: linears, dims: [C, C] },
    { name: `blk.${i}.ffn_norm.weight`, type: 'f32', dims: [C] },
    { name: `blk.${i}.ffn_gate.weight`, type: linears, dims: [C, F] },
    { name: `blk.${i}.ffn_up.weight`, type: linears, dims: [C, F] },
    { name: `blk.${i}.ffn_down.weight`, type: linears, dims: [F, C] },
  ];
  return [
    { name: 'token_embd.weight', type: 'q8_0', dims: [C, V] },
    ...Array.from({ length: shape.num_hidden_layers }, (_, i) => layer(i)).flat(),
    { name: 'output_norm.weight', type: 'f32', dims: [C] },
    { name: 'output.weight', type: 'q8_0', dims: [C, V] },
  ];
}

/** Bytes of a tensor. */
export function tensorBytes({ type, dims }) {
  const { count, bytes } = TYPES[type];
  return (dims.reduce((product, dim) => product * dim, 1) / count) * bytes;
}

/** Writes the model and returns the bytes of its tensors. The file has its name when it is complete. */
export function writeLlama(path, shape, linears) {
  const tensors = llamaTensors(shape, linears);
  const file = openSync(`${path}.partial`, 'w');
  try {
    writeSync(file, headerOf(shape, tensors));
    for (const tensor of tensors) writeTensor(file, tensor);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.partial`, path);
  return tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
}

/** Everything before the data: counts, metadata, tensor descriptions, padding. */
export function headerOf(shape, tensors) {
  const metadata = metadataOf(shape);
  const parts = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(metadata.length)];
  for (const [key, type, value] of metadata) parts.push(text(key), u32(type), value);
  let offset = 0;
  for (const tensor of tensors) {
    const { name, type, dims } = tensor;
    parts.push(text(name), u32(dims.length), ...dims.map(u64), u32(TYPES[type].id), u64(offset));
    offset += padded(tensorBytes(tensor));
  }
  const header = Buffer.concat(parts);
  return Buffer.concat([header, Buffer.alloc(padded(header.length) - header.length)]);
}

// Types of metadata values.
const [U32, I32, F32, STRING, ARRAY] = [4, 5, 6, 8, 9];

function metadataOf(shape) {
  const { hidden_size: C, num_attention_heads: H, vocab_size: V } = shape;
  const vocabulary = vocabularyOf(V);
  const list = (type, values) => Buffer.concat([u32(type), u64(values.length), ...values]);
  return [
    ['general.architecture', STRING, text('llama')],
    ['general.name', STRING, text('random weights')],
    ['llama.context_length', U32, u32(2048)],
    ['llama.embedding_length', U32, u32(C)],
    ['llama.block_count', U32, u32(shape.num_hidden_layers)],
    ['llama.feed_forward_length', U32, u32(shape.intermediate_size)],
    ['llama.attention.head_count', U32, u32(H)],
    ['llama.attention.head_count_kv', U32, u32(shape.num_key_value_heads)],
    ['llama.attention.layer_norm_rms_epsilon', F32, f32(1e-5)],
    ['llama.rope.dimension_count', U32, u32(C / H)],
    ['llama.rope.freq_base', F32, f32(10000)],
    ['llama.vocab_size', U32, u32(V)],
    ['tokenizer.ggml.model', STRING, text('llama')],
    [
      'tokenizer.ggml.tokens',
      ARRAY,
      list(
        STRING,
        vocabulary.map(({ token }) => text(token)),
      ),
    ],
    [
      'tokenizer.ggml.scores',
      ARRAY,
      list(
        F32,
        vocabulary.map((_, id) => f32(-id)),
      ),
    ],
    [
      'tokenizer.ggml.token_type',
      ARRAY,
      list(
        I32,
        vocabulary.map(({ type }) => u32(type)),
      ),
    ],
    ['tokenizer.ggml.unknown_token_id', U32, u32(0)],
    ['tokenizer.ggml.bos_token_id', U32, u32(1)],
    ['tokenizer.ggml.eos_token_id', U32, u32(2)],
  ];
}

/** The least that a SentencePiece vocabulary must have: unknown, begin, end, and a token for each byte. */
function vocabularyOf(count) {
  const [NORMAL, UNKNOWN, CONTROL, BYTE] = [1, 2, 3, 6];
  const hex = (byte) => byte.toString(16).toUpperCase().padStart(2, '0');
  const needed = [
    { token: '<unk>', type: UNKNOWN },
    { token: '<s>', type: CONTROL },
    { token: '</s>', type: CONTROL },
    ...Array.from({ length: 256 }, (_, byte) => ({ token: `<0x${hex(byte)}>`, type: BYTE })),
  ];
  const words = Array.from({ length: count - needed.length }, (_, i) => ({
    token: `word${i}`,
    type: NORMAL,
  }));
  return [...needed, ...words];
}

function writeTensor(file, tensor) {
  const total = tensorBytes(tensor);
  const chunk = tensor.type === 'f32' ? ones(total) : randomBlocks(tensor);
  for (let done = 0; done < total; done += chunk.length)
    writeSync(file, chunk, 0, Math.min(chunk.length, total - done));
  writeSync(file, Buffer.alloc(padded(total) - total));
}

const ones = (bytes) => Buffer.from(new Float32Array(bytes / 4).fill(1).buffer);

/** Blocks of random codes, scaled so that a linear keeps the size of what it reads. */
export function randomBlocks({ type, dims: [inputs] }) {
  const { bytes, scaleAt, deviation, codes } = TYPES[type];
  const scale = halfBits(1 / (deviation * Math.sqrt(inputs)));
  const blocks = Buffer.alloc(BLOCKS * bytes);
  let state = 1;
  for (let at = 0; at < blocks.length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    blocks[at] = codes(state >>> 24);
  }
  for (let at = scaleAt; at < blocks.length; at += bytes) blocks.writeUInt16LE(scale, at);
  return blocks;
}

/** A positive number in half precision, cut off; 2^-14 to 2^15. */
export function halfBits(value) {
  const [bits] = new Uint32Array(new Float32Array([value]).buffer);
  return (bits >> 13) - ((127 - 15) << 10);
}

const padded = (bytes) => Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
function fixed(bytes, write) {
  const buffer = Buffer.alloc(bytes);
  write(buffer);
  return buffer;
}
const u32 = (value) => fixed(4, (buffer) => buffer.writeUInt32LE(value));
const u64 = (value) => fixed(8, (buffer) => buffer.writeBigUInt64LE(BigInt(value)));
const f32 = (value) => fixed(4, (buffer) => buffer.writeFloatLE(value));
const text = (value) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)]);
