import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { syntheticModel } from '@spikellm/benchmark';
import { DEFAULT_SETTINGS, quantize, sampleWindows } from '@spikellm/calibration';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { model as demo, texts } from '@spikellm/demo-model';
import { generateTokens, loadDecoder } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { create, missing } from './adapter.ts';

const folder = mkdtempSync(join(tmpdir(), 'spikellm-webgpu-'));
const ROUNDS = Number(process.env.SPIKELLM_ROUNDS ?? 50);

async function greedy(model: ModelFolder, backend: Backend, prompt: string, maxTokens: number) {
  const tokenizer = await model.tokenizer();
  using decoder = await loadDecoder({ config: model.config, tensors: model.tensors, backend });
  const ids: number[] = [];
  for await (const id of generateTokens(decoder, tokenizer.encode(prompt), { maxTokens, temperature: 0 }))
    ids.push(id);
  return tokenizer.decode(ids);
}

describe.skipIf(missing !== undefined)('a whole decoder', () => {
  const float = join(fileURLToPath(demo.config), '..');
  const spiking = join(folder, 'spiking');

  beforeAll(async () => {
    await using model = await openModelFolder(float);
    const tokenizer = await model.tokenizer();
    const ids = tokenizer.encode(readFileSync(fileURLToPath(texts.calibration), 'utf8'));
    using backend = createReferenceBackend();
    await quantize({
      model,
      out: spiking,
      backend,
      settings: { ...DEFAULT_SETTINGS, steps: 2, salientFraction: 0.1 },
      windows: sampleWindows(ids, { samples: 2, length: 64, seed: 0 }),
    });
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it.each([
    ['float', float, 8],
    ['spiking', spiking, 24],
  ])('writes the greedy text of the reference backend: the %s demo model', async (_, path, tokens) => {
    await using model = await openModelFolder(path);
    using reference = createReferenceBackend();
    using backend = await create();
    const prompt = 'Once upon a time there was a';
    const want = await greedy(model, reference, prompt, tokens);
    expect(want.length).toBeGreaterThan(tokens);
    expect(await greedy(model, backend, prompt, tokens)).toBe(want);
    expect(backend.liveBytes).toBe(0);
  });

  it(`leaves nothing behind in ${ROUNDS} generations`, { timeout: 1_000_000 }, async () => {
    using backend = await create();
    using decoder = await loadDecoder({ ...syntheticModel({ shape: 'tiny' }), backend });
    const before = backend.liveBytes;
    for (let round = 0; round < ROUNDS; round++) {
      const seen: number[] = [];
      for await (const id of generateTokens(decoder, [1], { maxTokens: 1, endTokens: [] })) seen.push(id);
      expect(seen).toHaveLength(1);
    }
    expect(backend.liveBytes).toBe(before);
  });
});
