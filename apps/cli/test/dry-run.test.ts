import { join } from 'node:path';
import { expect, test } from 'vitest';
import { PIPELINES } from '@spikellm/calibration';
import { MODEL, run, scratch } from './run.ts';

const DRY = ['--dry-run', '--seqlen', '32', '--samples', '2', '--backend', 'reference'];

test('--dry-run says memory, disk and time of every pipeline, and writes nothing', async () => {
  const { code, stdout } = await run('quantize', MODEL, ...DRY, '--json');
  expect(code).toBe(0);
  const { runs } = JSON.parse(stdout);
  expect(runs.map(({ pipeline }: { pipeline: string }) => pipeline)).toEqual(
    PIPELINES.map(({ name }) => name),
  );
  for (const each of runs) {
    expect(each.peakBytes).toBe(Math.max(...Object.values<number>(each.parts)));
    expect(each.parts[each.peak]).toBe(each.peakBytes);
    expect(each.seconds).toBeCloseTo(5 * each.secondsPerLayer);
    expect(each.checkpointBytes).toBeGreaterThan(2e6);
  }
});

test('--dry-run needs a config.json and nothing else', async () => {
  using folder = scratch();
  const config = folder.file(
    'big.json',
    JSON.stringify({
      model_type: 'llama',
      hidden_size: 64,
      intermediate_size: 128,
      num_hidden_layers: 80,
      num_attention_heads: 4,
      vocab_size: 100,
      torch_dtype: 'bfloat16',
    }),
  );
  const { code, stdout } = await run('quantize', config, ...DRY);
  expect(code).toBe(0);
  expect(stdout).toContain('80 layers');
  expect(stdout).toMatch(/omniquant .* MB/);

  const missing = await run('quantize', join(folder.path, 'no'), ...DRY);
  expect(missing.code).toBe(1);
  expect(missing.stderr).toContain('expected a config.json, or a folder that has one, received neither.');
});

test('--dry-run counts logits of a window as far as they stand there at a time', async () => {
  using folder = scratch();
  const config = folder.file(
    'wide.json',
    JSON.stringify({
      model_type: 'llama',
      hidden_size: 8,
      intermediate_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      vocab_size: 2 ** 20,
      tie_word_embeddings: true,
      torch_dtype: 'float32',
    }),
  );
  const args = ['--dry-run', '--samples', '1', '--seqlen', '256', '--backend', 'reference', '--json'];
  const evaluated = async (...more: string[]): Promise<number> => {
    const { stdout } = await run('quantize', config, ...args, ...more);
    return JSON.parse(stdout).runs[0].parts.evaluate;
  };
  expect(await evaluated()).toBeLessThan(1.2e9);
  expect(await evaluated('--kv', 'whole')).toBeGreaterThan(2 ** 31);
});

test('without --dry-run there must be a folder to write', async () => {
  const { code, stderr } = await run('quantize', MODEL);
  expect({ code, stderr }).toEqual({
    code: 1,
    stderr: '--out: expected a folder to write, received nothing.\n',
  });
});
