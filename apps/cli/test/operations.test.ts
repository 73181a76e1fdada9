import { join } from 'node:path';
import { SIMULATION_NOTE } from '@spikellm/evaluation';
import { expect, test } from 'vitest';
import { MODEL, run, scratch, TEXT } from './run.ts';

const EVAL = ['--text', TEXT, '--window', '32', '--max-windows', '2', '--operations'];

test('eval --operations counts what a token of a spiking model costs', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  await run('quantize', MODEL, '--out', out, '--samples', '1', '--seqlen', '32', '--eval-windows', '1');
  const { stdout } = await run('eval', out, ...EVAL, '--json');
  const { operations } = JSON.parse(stdout);
  const { total, layers, linears } = operations;
  expect(operations.tokens).toBe(64);
  expect(layers).toHaveLength(5);
  expect(linears).toHaveLength(35);
  expect(total.ace).toBe(16 * total.dense);
  expect(total.dense / total.macs).toBeCloseTo(1.1, 1);
  expect(total.skipped).toBeGreaterThan(0);
  expect(total.multiplications).toBe(total.dense - total.skipped);
  expect(total.additions).toBeGreaterThan(total.multiplications);

  const { stdout: shown } = await run('eval', out, ...EVAL);
  expect(shown).toContain('weights of 4 bits, activations of 4:');
  expect(shown.split('\n').filter((line) => /^│ (\d|all) /.test(line))).toHaveLength(6);
  expect(shown).toMatch(/energy {7}an estimate, counts times 45 nm.*; nothing is measured/);
  expect(shown).toContain(`${SIMULATION_NOTE}\n`);
});

test('a float model has no spikes to count', async () => {
  const { stdout } = await run('eval', MODEL, ...EVAL);
  expect(stdout).toContain('weights of 16 bits, activations of 16:');
  expect(stdout).not.toContain('in additions alone');
});
