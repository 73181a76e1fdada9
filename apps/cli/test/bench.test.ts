import { expect, test } from 'vitest';
import { supportedInstructionSets } from '@spikellm/backend-cpu';
import { run } from './run.ts';

const native = ((): boolean => {
  try {
    return supportedInstructionSets().length > 0;
  } catch {
    return false;
  }
})();

const SPREAD = { median: expect.any(Number), min: expect.any(Number), max: expect.any(Number) };

test('bench on the reference backend takes the tiny shape and knows no limits', async () => {
  const { code, stdout, stderr } = await run('bench', '--backend', 'reference', '--json');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const { model, kernels, ...report } = JSON.parse(stdout);
  expect(report).toEqual({
    shape: 'tiny',
    backend: 'reference',
    device: 'plain TypeScript on one thread',
    threads: 1,
    limits: null,
    shares: null,
  });
  expect(model).toMatchObject({ prompt: SPREAD, decode: SPREAD, promptTokens: 64 });
  expect(model.decode.median).toBeGreaterThan(0);
  expect(model.bytesPerToken).toBeLessThan(model.checkpointBytes);
  expect(model.kvCacheBytes).toBeGreaterThan(0);
  expect(model.peakBytes).toBeGreaterThan(model.checkpointBytes);
  expect(kernels).toMatchObject({ tokens: 64, inputs: 256, outputs: 512, spikingLinearGops: SPREAD });
}, 30_000);

test('bench for people is one screen and says what is not known', async () => {
  const { stdout } = await run('bench', '--backend', 'reference', '--shape', 'tiny');
  expect(stdout).toContain('plain TypeScript on one thread; tiny with random weights');
  expect(stdout).toMatch(/prompt of 64 tokens +│ +[\d.]+ tokens\/s │ +[\d.]+ to [\d.]+ │ +- │/);
  expect(stdout).toContain('limits  not known for this backend\n');
  expect(stdout).toMatch(/memory {2}[\d.]+ MB at its peak, [\d.]+ times [\d.]+ [kM]B of weights/);
  expect(stdout.split('\n').length).toBeLessThan(25);
  expect(Math.max(...stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(100);
}, 30_000);

test.skipIf(!native)(
  'bench on the native backend holds its figures against the limits [skipped without the native addon]',
  async () => {
    const { code, stdout } = await run(
      'bench',
      '--backend',
      'cpu',
      '--threads',
      '1',
      '--shape',
      'tiny',
      '--json',
    );
    expect(code).toBe(0);
    const { limits, shares, kernels, model, threads } = JSON.parse(stdout);
    expect(threads).toBe(1);
    expect(shares.spikingLinear).toBeCloseTo(kernels.spikingLinearGops.median / limits.int8Gops, 10);
    expect(shares.decode).toBeCloseTo((model.decode.median * model.bytesPerToken) / 1e9 / limits.readGBs, 10);
    expect(shares.floatLinear).toBeGreaterThan(0);
  },
  30_000,
);

test('a shape that is not known is refused in one sentence', async () => {
  expect(await run('bench', '--shape', '13b')).toEqual({
    code: 1,
    stdout: '',
    stderr: '--shape: expected tiny, 1.1b or 7b, received 13b.\n',
  });
});
