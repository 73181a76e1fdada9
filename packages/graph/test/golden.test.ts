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
interface Case {
  readonly name: string;
  readonly folder: string | undefined;
  readonly prompts: readonly Prompt[];
}

const cases: Case[] = [
  { name: 'tales', folder: demo, prompts: readGolden('tales').prompts },
  {
    name: 'stories260k',
    folder: shared && join(shared, 'models', 'stories260k'),
    prompts: readGolden('stories260k').prompts,
  },
];

describe.each(cases)('$name', ({ folder, prompts }) => {
  const missing = folder === undefined;
  const reason = 'the folder of shared models is not there';
  const backend = createReferenceBackend();
  let model: ModelFolder;
  let decoder: Decoder;
  beforeAll(async () => {
    if (missing) return;
    model = await openModelFolder(folder);
    decoder = await loadDecoder({ backend, config: model.config, tensors: model.tensors });
  });
  afterAll(async () => {
    backend.dispose();
    if (!missing) await model.close();
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

  it.for(prompts)('logits of: $prompt', async ({ prompt, ids, last_logits_top8 }, { skip }) => {
    skip(missing, reason);
    expect((await model.tokenizer()).encode(prompt)).toEqual(ids);
    const logits = (await logitsOneByOne(ids)).at(-1)!;
    for (const [id, logit] of last_logits_top8) {
      expect(Math.abs(logits[id] - logit)).toBeLessThanOrEqual(LOGIT_ERROR);
    }
    const ranked = logits.map((_, id) => id).toSorted((a, b) => logits[b] - logits[a]);
    expect(ranked.slice(0, 8)).toEqual(last_logits_top8.map(([id]) => id));
  });

  it.for(prompts.filter(({ logits_l2 }) => logits_l2 !== undefined))(
    'norm of all logits of: $prompt',
    async ({ ids, logits_l2 }, { skip }) => {
      skip(missing, reason);
      const norm = Math.hypot(...(await logitsOneByOne(ids)).flat());
      expect(Math.abs(norm / logits_l2! - 1)).toBeLessThan(1e-6);
    },
  );

  it.for(prompts)('greedy ids after: $prompt', async ({ ids, greedy_ids }, { skip }) => {
    skip(missing, reason);
    const drawn = [...ids];
    const maxTokens = greedy_ids.length - ids.length;
    for await (const id of generateTokens(decoder, ids, { maxTokens, endTokens: [] })) drawn.push(id);
    expect(drawn).toEqual(greedy_ids);
  });
});
