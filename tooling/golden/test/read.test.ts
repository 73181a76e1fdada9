import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { goldenPath, readGolden, sharedDirectory, type GoldenTensor } from '../src/index.ts';

const scratch = mkdtempSync(join(tmpdir(), 'spikellm-golden-'));

afterEach(() => {
  vi.unstubAllEnvs();
});

afterAll(() => {
  rmSync(scratch, { recursive: true });
});

function tensorsIn(value: unknown): GoldenTensor[] {
  if (typeof value !== 'object' || value === null) return [];
  if ('shape' in value && 'data' in value) return [value as GoldenTensor];
  return Object.values(value).flatMap(tensorsIn);
}

test('every tensor has as many numbers as its shape says', () => {
  const tensors = [...tensorsIn(readGolden('kernels')), ...tensorsIn(readGolden('omniquant_layer'))];
  expect(tensors.length).toBeGreaterThan(100);
  for (const { shape, data } of tensors) {
    expect(data).toHaveLength(shape.reduce((product, size) => product * size, 1));
    expect(data.every(Number.isFinite)).toBe(true);
  }
});

test('greedy text starts from the ids of its prompt', () => {
  for (const name of ['stories260k', 'tales'] as const) {
    for (const { ids, greedy_ids } of readGolden(name).prompts) {
      expect(greedy_ids.slice(0, ids.length)).toEqual(ids);
    }
  }
});

test('SPIKELLM_GOLDEN_DIR names another folder of the same form', () => {
  writeFileSync(join(scratch, 'tales.json'), '{"perplexity_fp32": 3}');
  vi.stubEnv('SPIKELLM_GOLDEN_DIR', scratch);
  expect(readGolden('tales').perplexity_fp32).toBe(3);
  expect(() => readGolden('kernels')).toThrow('ENOENT');
  expect(goldenPath('gguf/blocks.gguf')).toBe(join(scratch, 'gguf', 'blocks.gguf'));
});

test('SPIKELLM_SHARED_DIR names the folder of models and texts', () => {
  vi.stubEnv('SPIKELLM_SHARED_DIR', scratch);
  expect(sharedDirectory()).toBe(scratch);
  vi.stubEnv('SPIKELLM_SHARED_DIR', join(scratch, 'nothing-here'));
  expect(sharedDirectory()).toBeUndefined();
});
