import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import type { Decoder, KeyQuantiser } from '../src/index.ts';
import {
  BLOCK,
  floatTensors,
  largestDifference,
  loadFloat,
  loadSpiking,
  loadTensors,
  logitsOf,
  TINY_CONFIG,
  tinyIds,
} from './tiny.ts';

const ids = tinyIds(3 * BLOCK + 2);

type Load = (backend: Backend) => Promise<Decoder>;
const spiking = (key: KeyQuantiser): { name: string; load: Load } => ({
  name: `spiking, keys ${key}`,
  load: (backend) => loadSpiking(backend, key),
});
const models = [
  { name: 'float', load: (backend: Backend) => loadFloat(backend) },
  spiking('float'),
  spiking('token'),
  spiking('block'),
];

async function withModel<T>(load: Load, use: (decoder: Decoder) => Promise<T>): Promise<T> {
  using backend = createReferenceBackend();
  using decoder = await load(backend);
  return await use(decoder);
}

describe.each(models)('$name', ({ load }) => {
  it('gives for a prompt at once what it gives token by token', () =>
    withModel(load, async (decoder) => {
      const atOnce = await logitsOf(decoder, ids);
      const singly = await logitsOf(decoder, ...ids.map((id) => [id]));
      expect(largestDifference(atOnce, singly)).toBeLessThanOrEqual(1e-4);
    }));

  it.each([BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 2])('and in two parts, the first of %d', (first) =>
    withModel(load, async (decoder) => {
      const parts = await logitsOf(decoder, ids.slice(0, first), ids.slice(first));
      expect(largestDifference(parts, await logitsOf(decoder, ids))).toBeLessThanOrEqual(1e-4);
    }),
  );

  it.each([1, BLOCK - 1, BLOCK, 2 * BLOCK, ids.length - 1])('no logit before token %d sees it', (at) =>
    withModel(load, async (decoder) => {
      const before = await logitsOf(decoder, ids);
      const after = await logitsOf(decoder, ids.with(at, (ids[at] + 1) % TINY_CONFIG.vocab_size));
      expect(after.slice(0, at)).toEqual(before.slice(0, at));
      expect(largestDifference(after.slice(at, at + 1), before.slice(at, at + 1))).toBeGreaterThan(1e-3);
    }),
  );

  it('gives the last row for the last logits', () =>
    withModel(load, async (decoder) => {
      using cache = decoder.createCache(ids.length);
      using last = decoder.forward(ids, cache, { logits: 'last' });
      expect(last.dims).toEqual([1, TINY_CONFIG.vocab_size]);
      const { data } = await decoder.backend.read(last);
      expect(data).toEqual((await logitsOf(decoder, ids)).at(-1));
    }));

  it('gives so many of the last rows', () =>
    withModel(load, async (decoder) => {
      using cache = decoder.createCache(ids.length);
      using last = decoder.forward(ids, cache, { logits: 3 });
      expect(last.dims).toEqual([3, TINY_CONFIG.vocab_size]);
      const { data } = await decoder.backend.read(last);
      expect(Array.from(data as Float32Array)).toEqual(
        (await logitsOf(decoder, ids)).slice(-3).flatMap((row) => [...row]),
      );
      for (const logits of [0, 1.5, 2]) {
        cache.reset();
        expect(() => decoder.forward([1], cache, { logits })).toThrow(
          `forward: expected logits of 1 to 1 tokens, received ${logits}.`,
        );
      }
    }));

  it.each([0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK, 3 * BLOCK + 1, ids.length])(
    'goes on after the first %d tokens as if nothing had followed them',
    (wanted) =>
      withModel(load, async (decoder) => {
        using cache = decoder.createCache(ids.length);
        decoder.forward(ids, cache, { logits: 'last' }).dispose();
        const held = cache.rewind(wanted);
        expect(held).toBe(cache.position);
        // Of the last block, which is open, any part is held; of closed ones whole blocks.
        const open = decoder.spiking?.kv.key !== 'block' || wanted >= 3 * BLOCK;
        expect(held).toBe(open ? wanted : Math.floor(wanted / BLOCK) * BLOCK);
        const other = [...ids.slice(0, wanted), 3, 1, 4].slice(0, ids.length);
        if (held === other.length) return;
        using logits = decoder.forward(other.slice(held), cache, { logits: 'last' });
        const { data } = await decoder.backend.read(logits);
        expect(data).toEqual((await logitsOf(decoder, other)).at(-1));
      }),
  );

  it('forgets a text after reset', () =>
    withModel(load, async (decoder) => {
      using cache = decoder.createCache(ids.length);
      const run = async () => {
        using logits = decoder.forward(ids, cache, { logits: 'all' });
        return (await decoder.backend.read(logits)).data;
      };
      const first = await run();
      expect(cache.position).toBe(ids.length);
      cache.reset();
      expect(await run()).toEqual(first);
    }));

  it('frees what it takes', async () => {
    using backend = createReferenceBackend();
    const empty = backend.liveBytes;
    const decoder = await load(backend);
    await logitsOf(decoder, ids); // prepares the kernels that need no constants
    const loaded = backend.liveBytes;
    await logitsOf(decoder, ids);
    expect(backend.liveBytes).toBe(loaded);
    decoder.dispose();
    expect(backend.liveBytes).toBe(empty);
  });
});

describe('the published key quantiser', () => {
  const { load } = spiking('whole');

  it('sees later tokens: a change of the last one moves the first logits', () =>
    withModel(load, async (decoder) => {
      const last = ids.length - 1;
      const before = await logitsOf(decoder, ids);
      const after = await logitsOf(decoder, ids.with(last, (ids[last] + 1) % TINY_CONFIG.vocab_size));
      expect(largestDifference(after.slice(0, last), before.slice(0, last))).toBeGreaterThan(1e-3);
    }));

  it('keeps nothing of a text that is cut', () =>
    withModel(load, async (decoder) => {
      using cache = decoder.createCache(ids.length);
      decoder.forward(ids, cache, { logits: 'last' }).dispose();
      expect(cache.rewind(ids.length)).toBe(ids.length);
      expect(cache.rewind(ids.length - 1)).toBe(0);
    }));

  it('refuses to continue a text', () =>
    withModel(load, async (decoder) => {
      using cache = decoder.createCache(ids.length);
      decoder.forward(ids.slice(0, 3), cache, { logits: 'last' }).dispose();
      expect(() => decoder.forward(ids.slice(3), cache, { logits: 'last' })).toThrow(
        "kv.key 'whole': expected whole windows, since its key ranges see later tokens, received a continuation at position 3; generate with a model quantised with --kv block or token.",
      );
    }));
});

it('reaches different logits with each key quantiser', async () => {
  const logits = await Promise.all(
    models.map(({ load }) => withModel(load, (decoder) => logitsOf(decoder, ids))),
  );
  for (const [a, one] of logits.entries()) {
    for (const other of logits.slice(a + 1)) expect(largestDifference(one, other)).toBeGreaterThan(1e-3);
  }
});

/** Logits of a tiny float model whose config and weights a test may change. */
async function floatLogits(config: object, change?: (tensors: ReturnType<typeof floatTensors>) => void) {
  const json = { ...TINY_CONFIG, ...config };
  const tensors = floatTensors(json);
  change?.(tensors);
  return await withModel(
    (backend) => loadTensors(backend, json, tensors),
    (decoder) => logitsOf(decoder, ids.slice(0, 5)),
  );
}

const zeroBiases = (tensors: ReturnType<typeof floatTensors>): void => {
  for (const [name, { data }] of tensors) if (name.endsWith('.bias')) (data as Float32Array).fill(0);
};

describe('biases', () => {
  it.each([
    { config: { attention_bias: true }, bias: 'model.layers.1.self_attn.v_proj.bias' },
    { config: { attention_bias: true }, bias: 'model.layers.0.self_attn.o_proj.bias' },
    { config: { mlp_bias: true }, bias: 'model.layers.1.mlp.up_proj.bias' },
    { config: { mlp_bias: true }, bias: 'model.layers.1.mlp.down_proj.bias' },
  ])('$bias is added', async ({ config, bias }) => {
    const none = await floatLogits(config, zeroBiases);
    const one = await floatLogits(config, (tensors) => {
      zeroBiases(tensors);
      (tensors.get(bias)!.data as Float32Array)[3] = 1;
    });
    expect(largestDifference(one, none)).toBeGreaterThan(1e-3);
  });

  it('of 0 change nothing', async () => {
    const tensors = floatTensors(TINY_CONFIG);
    const without = await floatLogits({}, (own) => tensors.forEach((tensor, name) => own.set(name, tensor)));
    const withZeros = await floatLogits({ attention_bias: true, mlp_bias: true }, (own) => {
      zeroBiases(own);
      tensors.forEach((tensor, name) => own.set(name, tensor));
    });
    expect(withZeros).toEqual(without);
  });
});

it('an untied head reads the final norm; with the embedding as its weight it is the tied one', async () => {
  const embedding = floatTensors(TINY_CONFIG);
  const share = (tensors: ReturnType<typeof floatTensors>): void => {
    embedding.forEach((tensor, name) => tensors.set(name, tensor));
  };
  const tied = await floatLogits({}, share);
  const untied = await floatLogits({ tie_word_embeddings: false }, share);
  expect(largestDifference(untied, tied)).toBeGreaterThan(1e-3);
  const same = await floatLogits({ tie_word_embeddings: false }, (tensors) => {
    share(tensors);
    tensors.set('lm_head.weight', embedding.get('model.embed_tokens.weight')!);
  });
  expect(same).toEqual(tied);
});

describe('forward refuses', () => {
  it.each([
    {
      what: 'no tokens',
      given: [],
      message: 'forward: expected 1 to 8 tokens, the room left in the KV cache, received 0.',
    },
    {
      what: 'more than the room left',
      given: tinyIds(9),
      message: 'forward: expected 1 to 8 tokens, the room left in the KV cache, received 9.',
    },
    {
      what: 'an id outside the vocabulary',
      given: [3, 31],
      message:
        'forward: expected token ids from 0 to 30, received 31; check that the tokenizer belongs to this model.',
    },
  ])('$what', ({ given, message }) =>
    withModel(loadFloat, async (decoder) => {
      using cache = decoder.createCache(8);
      expect(() => decoder.forward(given, cache, { logits: 'last' })).toThrow(message);
      expect(cache.position).toBe(0);
    }),
  );

  it.each(['0.', '65; take fewer, such as a smaller window.', '1.5.'])('a cache of %s', (received) =>
    withModel(loadFloat, async (decoder) => {
      expect(() => decoder.createCache(Number.parseFloat(received))).toThrow(
        `KV cache: expected 1 to 64 positions, the context of the model, received ${received}`,
      );
    }),
  );
});
