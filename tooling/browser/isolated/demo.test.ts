import type { Backend } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { generateTokens, loadDecoder } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import golden from '../../golden/numbers/tales.json' with { type: 'json' };
import { fetchDemoModel } from '../pages/demo-model.ts';

/** Backends of a page, on which the demo model must say what it says everywhere. */
const backends: Record<string, () => Promise<Backend>> = {
  'wasm simd128': () => createWasmBackend({ isa: 'simd128', threads: 1 }),
  'wasm relaxed-simd': () => createWasmBackend({ isa: 'relaxed-simd', threads: 1 }),
  'wasm relaxed-simd on 2': () => createWasmBackend({ isa: 'relaxed-simd', threads: 2 }),
};

describe.each(Object.keys(backends))('the demo model on %s', (name) => {
  it.for(golden.prompts)('continues "$prompt" as published', async ({ ids, greedy_ids }) => {
    using backend = await backends[name]();
    using decoder = await loadDecoder({ backend, ...(await fetchDemoModel()) });
    const continued = greedy_ids.slice(ids.length);
    const drawn: number[] = [];
    const options = { maxTokens: continued.length, endTokens: [] };
    for await (const id of generateTokens(decoder, ids, options)) drawn.push(id);
    expect(drawn).toEqual(continued);
  });
});
