import { expect, test } from 'vitest';
import { perplexity } from '../src/index.ts';
import { floatConfig, HEAD, loadToy, someIds, spiking, toyTensors } from './toy.ts';

test('a model that knows nothing is as perplexed as its vocabulary is large', async () => {
  const tensors = toyTensors();
  (tensors.get(HEAD)!.data as Float32Array).fill(0);
  using decoder = await loadToy(tensors);
  const result = await perplexity(decoder, someIds(50), { window: 16 });
  expect(result.perplexity).toBeCloseTo(floatConfig.vocab_size, 4);
  expect(result.nll).toBeCloseTo(Math.log(floatConfig.vocab_size), 6);
  expect(result).toMatchObject({ tokens: 45, windows: 3, window: 16 });
});

test.each([undefined, spiking({ kv: { key: 'token' } })])(
  'equals the sum over single tokens (%#)',
  async (config) => {
    const ids = someIds(40);
    const window = 12;
    using decoder = await loadToy(toyTensors(config), config);
    let nll = 0;
    for (const start of [12, 24]) {
      using cache = decoder.createCache(window);
      for (let n = start; n < start + window - 1; n++) {
        using logits = decoder.forward([ids[n]], cache, { logits: 'last' });
        const row = (await decoder.backend.read(logits)).data as Float32Array;
        nll += Math.log(row.reduce((sum, logit) => sum + Math.exp(logit), 0)) - row[ids[n + 1]];
      }
    }
    const seen: string[] = [];
    const result = await perplexity(decoder, ids, {
      window,
      skipWindows: 1,
      onProgress: (done, total) => seen.push(`${done}/${total}`),
    });
    expect(result.nll).toBeCloseTo(nll / 22, 5);
    expect(result.perplexity).toBe(Math.exp(result.nll));
    expect(result.tokens).toBe(22);
    expect(seen).toEqual(['1/2', '2/2']);
  },
);

test.each([
  ['causal', 'token', [8, 8, 4]],
  ['of keys that see later tokens', 'whole', [20]],
] as const)('a window %s with many logits is run in parts where it can be', async (_, key, parts) => {
  const config = spiking({ kv: { key } });
  using whole = await loadToy(toyTensors(config), config);
  const lengths: number[] = [];
  const decoder: typeof whole = {
    ...whole,
    config: { ...whole.config, vocabularySize: 2 ** 23 },
    forward(ids, cache, options) {
      lengths.push(ids.length);
      return whole.forward(ids, cache, options);
    },
  };
  const ids = someIds(20);
  const { nll } = await perplexity(whole, ids, { window: 20 });
  expect((await perplexity(decoder, ids, { window: 20 })).nll).toBeCloseTo(nll, 5);
  expect(lengths).toEqual(parts);
});

test('the first token and the tail of a text are not predicted, what they are changes only the context', async () => {
  using decoder = await loadToy(toyTensors());
  const ids = someIds(20);
  const whole = await perplexity(decoder, ids, { window: 16 });
  expect((await perplexity(decoder, [...ids.slice(0, 16), 1, 2, 3], { window: 16 })).nll).toBe(whole.nll);
});

test('stops between windows, frees its memory and keeps the reason', async () => {
  using decoder = await loadToy(toyTensors());
  const before = decoder.backend.liveBytes;
  const abort = new AbortController();
  const run = perplexity(decoder, someIds(64), {
    window: 8,
    signal: abort.signal,
    onProgress: (done) => done === 2 && abort.abort(new Error('enough')),
  });
  await expect(run).rejects.toThrow('enough');
  expect(decoder.backend.liveBytes).toBe(before);
});

test('a window longer than the context and a weight that breaks the logits are named', async () => {
  const tensors = toyTensors();
  using decoder = await loadToy(tensors);
  await expect(perplexity(decoder, someIds(80), { window: 80 })).rejects.toThrow('1 to 64 positions');
  (tensors.get(HEAD)!.data as Float32Array)[0] = Number.NaN;
  using broken = await loadToy(tensors);
  await expect(perplexity(broken, someIds(16), { window: 8 })).rejects.toThrow(
    'perplexity: expected finite logits, received NaN or infinity in window 1',
  );
});
