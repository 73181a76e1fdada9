/** A spiking model sees no later token: a prompt at once and token by token give the same logits. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { sharedDirectory } from '@spikellm/golden';
import { KEY_QUANTISERS, loadDecoder, type Decoder, type KeyQuantiser } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, KEY_BLOCK, quantize, sampleWindows } from '../src/index.ts';

const shared = sharedDirectory();
const missing = shared === undefined;
const reason = 'the folder of shared models is not there';
const TOKENS = 2 * KEY_BLOCK + 6;

const backend = createReferenceBackend();
const decoders = new Map<KeyQuantiser, Decoder>();
let folder: string;
let ids: number[];

beforeAll(async () => {
  if (missing) return;
  folder = await mkdtemp(join(tmpdir(), 'spikellm-causality-'));
  await using model = await openModelFolder(join(shared, 'models', 'stories260k'));
  const text = await readFile(join(shared, 'text', 'tinystories-excerpt.txt'), 'utf8');
  const all = (await model.tokenizer()).encode(text.slice(0, 4000));
  ids = all.slice(0, TOKENS);
  const windows = sampleWindows(all, { samples: 4, length: 64, seed: 0 });
  for (const key of KEY_QUANTISERS) {
    const out = join(folder, key);
    await quantize({ model, out, backend, settings: { ...DEFAULT_SETTINGS, key }, windows });
    await using spiking = await openModelFolder(out);
    decoders.set(key, await loadDecoder({ backend, config: spiking.config, tensors: spiking.tensors }));
  }
});
afterAll(async () => {
  backend.dispose();
  if (!missing) await rm(folder, { recursive: true });
});

/** Logits [V] of every token, given in these chunks to one cache. */
async function logitsOf(
  key: KeyQuantiser,
  ...chunks: readonly (readonly number[])[]
): Promise<Float32Array[]> {
  const decoder = decoders.get(key)!;
  const V = decoder.config.vocabularySize;
  const rows: Float32Array[] = [];
  using cache = decoder.createCache(TOKENS);
  for (const chunk of chunks) {
    using logits = decoder.forward(chunk, cache, { logits: 'all' });
    const data = (await backend.read(logits)).data as Float32Array;
    rows.push(...chunk.map((_, n) => data.slice(n * V, (n + 1) * V)));
  }
  return rows;
}

const largestDifference = (a: readonly Float32Array[], b: readonly Float32Array[]): number =>
  Math.max(...a.map((row, n) => Math.max(...row.map((value, i) => Math.abs(value - b[n][i])))));

/** The text with another token at `place`. */
const changed = (place: number): number[] => ids.with(place, ids[place] === 400 ? 401 : 400);

describe.each(KEY_QUANTISERS.filter((key) => key !== 'whole'))('stories260k, keys %s', (key) => {
  it('a prompt at once, token by token, and in two parts', async ({ skip }) => {
    skip(missing, reason);
    const atOnce = await logitsOf(key, ids);
    const singly = await logitsOf(key, ...ids.map((id) => [id]));
    expect(largestDifference(atOnce, singly)).toBeLessThanOrEqual(1e-4);
    const parts = await logitsOf(key, ids.slice(0, KEY_BLOCK + 1), ids.slice(KEY_BLOCK + 1));
    expect(largestDifference(atOnce, parts)).toBeLessThanOrEqual(1e-4);
  });

  it.for([1, KEY_BLOCK - 1, KEY_BLOCK, TOKENS - 1])(
    'no logit before token %d sees it',
    async (place, { skip }) => {
      skip(missing, reason);
      const before = await logitsOf(key, ids);
      const after = await logitsOf(key, changed(place));
      expect(after.slice(0, place)).toEqual(before.slice(0, place));
      expect(largestDifference(after.slice(place), before.slice(place))).toBeGreaterThan(1e-3);
    },
  );
});

it('stories260k, keys published: the last token moves logits of the first block', async ({ skip }) => {
  skip(missing, reason);
  const after = await logitsOf('whole', changed(TOKENS - 1));
  const before = await logitsOf('whole', ids);
  expect(largestDifference(after.slice(0, KEY_BLOCK), before)).toBeGreaterThan(1e-3);
});
