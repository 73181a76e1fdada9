/** Logits and greedy texts of two trained checkpoints, computed by another implementation in float32. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { readGolden, sharedDirectory, type GoldenPrompt } from '@spikellm/golden';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { generateTokens, loadDecoder, type Decoder } from '../src/index.ts';

const shared = sharedDirectory();
const demo = fileURLToPath(new URL('../../demo-model/model', import.meta.url));

/** Logits of about 10 in float32, written with 5 decimals. */
const LOGIT_ERROR = 2e-5;

/** A prompt; `logits_l2` is the norm of the logits of all its tokens. */
type Prompt = GoldenPrompt & { readonly logits_l2?: number };

function expectGolden(folder: string, prompts: readonly Prompt[]): void {
  const backend = createReferenceBackend();
  let model: ModelFolder;
  let decoder: Decoder;
  beforeAll(async () => {
    model = await openModelFolder(folder);
    decoder = await loadDecoder({ backend, config: model.config, tensors: model.tensors });
  });
  afterAll(async () => {
    backend.dispose();
    await model.close();
  });

  /** Logits of every token, the ids given one by one. */
  async function logitsOneByOne(ids: readonly number[]): Promise<number[][]> {
    using cache = decoder.createCache(ids.length);
    const rows: number[][] = [];
    for (const id of ids) {
      using logits = decoder.forward([id], cache, { logits: 'last' });
      rows.push(Array.from((await backend.read(logits)).data as Float32Array));
    }
    return rows;
  }

  it.each(prompts)('$prompt', async (golden) => {
    const { prompt, ids, last_logits_top8, greedy_ids } = golden;
    expect((await model.tokenizer()).encode(prompt)).toEqual(ids);

    const rows = await logitsOneByOne(ids);
    const logits = rows.at(-1)!;
    for (const [id, logit] of last_logits_top8) {
      expect(Math.abs(logits[id] - logit)).toBeLessThanOrEqual(LOGIT_ERROR);
    }
    if (golden.logits_l2 !== undefined) {
      expect(Math.abs(Math.hypot(...rows.flat()) / golden.logits_l2 - 1)).toBeLessThan(1e-6);
    }
    const ranked = logits.map((_, id) => id).toSorted((a, b) => logits[b] - logits[a]);
    expect(ranked.slice(0, 8)).toEqual(last_logits_top8.map(([id]) => id));

    const drawn = [...ids];
    const maxTokens = greedy_ids.length - ids.length;
    for await (const id of generateTokens(decoder, ids, { maxTokens, endTokens: [] })) drawn.push(id);
    expect(drawn).toEqual(greedy_ids);
  });
}

describe('tales', () => expectGolden(demo, readGolden('tales').prompts));

describe.skipIf(shared === undefined)('stories260k (needs the shared models)', () => {
  expectGolden(join(shared ?? '', 'models', 'stories260k'), readGolden('stories260k').prompts);
});
