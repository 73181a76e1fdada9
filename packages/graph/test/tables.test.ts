/** Embedding and head in half precision and in packed rows: the model of the decoded tables, and one copy of them. */
import { createReferenceBackend, packCodes, widenFloat16, type HostTensor } from '@spikellm/backend';
import { memorySource, seeded } from '@spikellm/fixtures';
import { describe, expect, it } from 'vitest';
import { hostTensor, inArena, integerWeight, loadDecoder, type TensorSource } from '../src/index.ts';
import { loadTensors, spikingJson, spikingTensors, TINY_CONFIG, type Tensors } from './tiny.ts';

const [EMBEDDING, HEAD] = ['model.embed_tokens', 'lm_head'];
const [V, C] = [TINY_CONFIG.vocab_size, TINY_CONFIG.hidden_size];
const random = seeded(3);
const dims = [V, C];

/** One table of random values as it is stored, and as float32. */
interface StoredTable {
  readonly stored: (prefix: string) => [string, HostTensor][];
  readonly decoded: HostTensor;
}

function half(): StoredTable {
  const bits = Uint16Array.from({ length: V * C }, () => 0x2000 + random.integer(0, 0x1fff));
  return {
    stored: (prefix) => [[`${prefix}.weight`, { type: 'float16', data: bits, dims }]],
    decoded: { type: 'float32', data: widenFloat16(bits), dims },
  };
}

function packed(bits: number): StoredTable {
  const codes = Uint8Array.from({ length: V * C }, () => random.integer(0, 2 ** bits - 1));
  const scale = Float32Array.from({ length: V }, () => (0.5 + random.real()) / 2 ** bits);
  const zero = Int32Array.from({ length: V }, () => random.integer(0, 2 ** bits - 1));
  const data = Float32Array.from(codes, (code, i) => {
    const row = Math.floor(i / C);
    return (code - zero[row]) * scale[row];
  });
  const rows = packCodes(codes, V, C, bits);
  const weight = integerWeight({
    bits,
    inputs: C,
    codes: hostTensor('uint8', rows, [V, rows.length / V]),
    scale: hostTensor('float32', scale),
    zero: hostTensor('int32', zero),
  });
  return { stored: (prefix) => weight.tensors(prefix), decoded: { type: 'float32', data, dims } };
}

async function logitsOf(tensors: Tensors, config: Readonly<Record<string, unknown>>): Promise<Float32Array> {
  using backend = createReferenceBackend();
  using decoder = await loadTensors(backend, config, tensors);
  using cache = decoder.createCache(8);
  using logits = decoder.forward([3, 1, 30, 0], cache, { logits: 'all' });
  return (await backend.read(logits)).data as Float32Array;
}

describe.each([
  ['half precision', half, undefined],
  ['8 bits', () => packed(8), 8],
  ['3 bits', () => packed(3), 3],
] as const)('tables of %s', (_, draw, bits) => {
  it.each([true, false])('give the logits of what they decode to, tied: %s', async (tied) => {
    const config = {
      ...TINY_CONFIG,
      tie_word_embeddings: tied,
      quantization_config: { ...spikingJson('block'), ...(bits && { embeddings: { bits } }) },
    };
    const stored = spikingTensors(config, 'block');
    const decoded = new Map(stored);
    for (const prefix of tied ? [EMBEDDING] : [EMBEDDING, HEAD]) {
      const table = draw();
      stored.delete(`${prefix}.weight`);
      for (const [name, tensor] of table.stored(prefix)) stored.set(name, tensor);
      decoded.set(`${prefix}.weight`, table.decoded);
    }
    const want = await logitsOf(decoded, { ...config, quantization_config: spikingJson('block') });
    const got = await logitsOf(stored, config);
    const largest = Math.max(...want.map(Math.abs));
    got.forEach((logit, i) => expect(Math.abs(logit - want[i])).toBeLessThan(1e-5 * largest));
  });
});

it('a tied table is uploaded once', async () => {
  const types: string[] = [];
  const backend = createReferenceBackend();
  const upload = backend.upload.bind(backend);
  backend.upload = (tensor) => {
    if (tensor.dims.join() === dims.join()) types.push(tensor.type);
    return upload(tensor);
  };
  const config = {
    ...TINY_CONFIG,
    quantization_config: { ...spikingJson('block'), embeddings: { bits: 8 } },
  };
  const tensors = spikingTensors(config, 'block');
  tensors.delete(`${EMBEDDING}.weight`);
  for (const [name, tensor] of packed(8).stored(EMBEDDING)) tensors.set(name, tensor);
  await loadTensors(backend, config, tensors);
  expect(types).toEqual(['uint8']);
  backend.dispose();
});

it('refuses bits that a code cannot have', async () => {
  const quantization = { ...spikingJson('block'), embeddings: { bits: 9 } };
  const config = { ...TINY_CONFIG, quantization_config: quantization };
  await expect(logitsOf(spikingTensors(config, 'block'), config)).rejects.toThrow(
    'config.json, quantization_config: expected embeddings.bits from 1 to 8, or no embeddings, received 9.',
  );
});

describe('host memory', () => {
  /** A source that copies its tensors into the memory it is given. */
  function copying(tensors: Tensors): { source: TensorSource; buffers: ArrayBuffer[]; most: () => number } {
    const buffers: ArrayBuffer[] = [];
    let most = 0;
    const source: TensorSource = {
      ...memorySource(tensors),
      async read(name, { allocate } = {}) {
        const { type, data, dims: shape } = tensors.get(name)!;
        const values = data as Uint8Array;
        const buffer = allocate!(values.byteLength);
        buffers.push(buffer);
        const copy = new (values.constructor as typeof Uint8Array)(buffer);
        copy.set(values);
        most = Math.max(
          most,
          buffers.reduce((sum, { byteLength }) => sum + byteLength, 0),
        );
        return { type, data: copy, dims: shape };
      },
    };
    return { source, buffers, most: () => most };
  }

  it('is given back while loading, and nothing that is loaded needs it', async () => {
    const config = { ...TINY_CONFIG, num_hidden_layers: 6, quantization_config: spikingJson('token') };
    const tensors = spikingTensors(config, 'token');
    const { source, buffers, most } = copying(tensors);
    using backend = createReferenceBackend();
    using decoder = await loadDecoder({ backend, config, tensors: source });
    expect(buffers.every(({ byteLength }) => byteLength === 0)).toBe(true);
    const all = [...tensors.values()].reduce((sum, { data }) => sum + (data as Uint8Array).byteLength, 0);
    expect(most()).toBeLessThan(all / 3);
    using cache = decoder.createCache(4);
    using logits = decoder.forward([1, 2], cache, { logits: 'last' });
    expect((await backend.read(logits)).data).toEqual((await logitsOfFirst(tensors, config)).subarray(-V));
  });

  async function logitsOfFirst(tensors: Tensors, config: object): Promise<Float32Array> {
    using backend = createReferenceBackend();
    using decoder = await loadTensors(backend, { ...config }, tensors);
    using cache = decoder.createCache(4);
    using logits = decoder.forward([1, 2], cache, { logits: 'last' });
    return (await backend.read(logits)).data as Float32Array;
  }

  it('is there until the arena is freed', async () => {
    const { source } = copying(new Map([['w', { type: 'uint8', data: Uint8Array.of(7, 8), dims: [2] }]]));
    const { tensors, free } = inArena(source);
    const { data } = await tensors.read('w');
    expect([...(data as Uint8Array)]).toEqual([7, 8]);
    free();
    expect(data.length).toBe(0);
  });
});
