/** The whole forward pass: the bundled model on this backend. */
import { fileURLToPath } from 'node:url';
import type { Backend } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { readGolden } from '@spikellm/golden';
import { generateTokens, loadDecoder, type Decoder } from '@spikellm/graph';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';

const folder = fileURLToPath(new URL('../../demo-model/model', import.meta.url));
const { prompts } = readGolden('tales');

async function greedy(decoder: Decoder, ids: readonly number[], maxTokens: number): Promise<number[]> {
  const drawn: number[] = [];
  for await (const id of generateTokens(decoder, ids, { maxTokens, endTokens: [] })) drawn.push(id);
  return drawn;
}

let model: ModelFolder;
beforeAll(async () => {
  model = await openModelFolder(folder);
});
afterAll(() => model.close());

const load = (backend: Backend): Promise<Decoder> =>
  loadDecoder({ backend, config: model.config, tensors: model.tensors });

describe.each([1, 2])('the demo model on %i', (threads) => {
  it.for(prompts)('continues "$prompt" as published', async ({ ids, greedy_ids }) => {
    using backend = await createWasmBackend({ threads });
    using decoder = await load(backend);
    const continued = greedy_ids.slice(ids.length);
    expect(await greedy(decoder, ids, continued.length)).toEqual(continued);
  });
});

it('gives back all it takes, 1,000 generations long', { timeout: 300_000 }, async () => {
  const { Memory } = WebAssembly;
  const memories: WebAssembly.Memory[] = [];
  vi.spyOn(WebAssembly, 'Memory').mockImplementation(function made(descriptor) {
    memories.push(new Memory(descriptor));
    return memories[0];
  });
  using backend = await createWasmBackend({ threads: 1 });
  vi.restoreAllMocks();
  using decoder = await load(backend);
  const { ids } = prompts[0];
  const held = (): object => ({
    live: backend.liveBytes,
    memory: memories.map(({ buffer }) => buffer.byteLength),
  });
  await greedy(decoder, ids, 2);
  const before = held();
  for (let round = 0; round < 1000; round++) await greedy(decoder, ids, 2);
  expect(held()).toEqual(before);
  expect(memories).toHaveLength(1);
});

it('stops a prompt soon after it is aborted', async () => {
  using backend = await createWasmBackend({ threads: 1 });
  using decoder = await load(backend);
  const ids = Array.from({ length: decoder.config.contextLength - 1 }, (_, i) => 1 + (i % 200));
  const timed = async (signal?: AbortSignal): Promise<number> => {
    const began = performance.now();
    for await (const _ of generateTokens(decoder, ids, { maxTokens: 1, ...(signal && { signal }) }));
    return performance.now() - began;
  };
  const whole = await timed();
  const controller = new AbortController();
  setTimeout(() => controller.abort(new Error('enough')), whole / 10);
  const began = performance.now();
  await expect(timed(controller.signal)).rejects.toThrow('enough');
  expect(performance.now() - began).toBeLessThan(whole / 2);
});
