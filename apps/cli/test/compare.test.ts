import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { DEFAULT_SETTINGS } from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { SIMULATION_NOTE } from '@spikellm/evaluation';
import { expect, test } from 'vitest';
import { fingerprintModel, openCache } from '../src/compare/cache.ts';
import { METHODS, parseMethods, type Method } from '../src/compare/methods.ts';
import type { DoneRow, Row } from '../src/compare/row.ts';
import { runMethods } from '../src/compare/run.ts';
import { MODEL, run, scratch, sink, TEXT } from './run.ts';
import { writeTinyModel } from './tiny-model.ts';

const TINY = ['--window', '32', '--max-windows', '2', '--samples', '2'];

const compare = (cache: string, methods: string, ...more: string[]) =>
  run('compare', MODEL, '--text', TEXT, ...TINY, '--cache', cache, '--methods', methods, ...more);

test('one table; a second run repeats nothing, and what decides a row repeats that row', async () => {
  using folder = scratch();
  const rowsOf = async (methods: string, ...more: string[]) => {
    const { code, stdout } = await compare(folder.path, methods, '--json', ...more);
    expect(code).toBe(0);
    return JSON.parse(stdout).rows;
  };
  const [float, rtn] = await rowsOf('float,rtn');
  expect([float.cached, rtn.cached]).toEqual([false, false]);
  expect(float).toMatchObject({ method: 'float', settings: null, averageSteps: null, raster: null });
  expect(float.bitsPerWeight).toBe(16);
  expect(rtn.settings).toMatchObject({ pipeline: 'rtn', steps: 1, weightBits: 4 });
  expect(rtn.evaluation).toMatchObject({ windows: 2, window: 32, tokens: 62 });
  expect(rtn.operations.total.ace).toBe(16 * rtn.operations.total.macs);
  expect(rtn.raster.codes).toHaveLength(256);
  expect(rtn.calibrationSeconds).toBeGreaterThan(0);
  expect(rtn.tokensPerSecond).toBeGreaterThan(0);

  const again = await rowsOf('rtn,rtn-t2,float');
  expect(again.map(({ method, cached }: Row & { cached: boolean }) => [method, cached])).toEqual([
    ['rtn', true],
    ['rtn-t2', false],
    ['float', true],
  ]);
  expect(again[0].evaluation).toEqual(rtn.evaluation);
  // Calibration and bits do not touch the float model; the window touches everything.
  const cachedOf = async (...more: string[]) =>
    (await rowsOf('float,rtn', ...more)).map(({ cached }: { cached: boolean }) => cached);
  expect(await cachedOf('--seed', '1')).toEqual([true, false]);
  expect(await cachedOf('--wbits', '3')).toEqual([true, false]);
  expect(await cachedOf('--max-windows', '1')).toEqual([false, false]);
  expect(await cachedOf('--fresh')).toEqual([false, false]);
});

test('a baseline is counted as what it stands for', async () => {
  using folder = scratch();
  const rowsOf = async (...more: string[]) =>
    JSON.parse((await compare(folder.path, 'pb-llm-90', '--json', ...more)).stdout).rows;
  const [baseline] = await rowsOf();
  const method = { name: 'pb-llm', lowFraction: 0.9, mean: 'faithful' };
  expect(baseline).toMatchObject({
    settings: null,
    baseline: { method, damping: 0.01 },
    averageSteps: null,
    bytes: null,
    raster: null,
  });
  // A sign in nine tenths, 8 bits in the rest; a map of 1 bit a weight, and scales.
  expect(baseline.averageWeightSteps).toBeCloseTo(1.7, 6);
  expect(baseline.bitsPerWeight).toBeGreaterThan(2.7);
  expect(baseline.bitsPerWeight).toBeLessThan(3.2);
  const { macs, ace, weightBytes } = baseline.operations.total;
  expect(ace / macs).toBeCloseTo(16 * 1.7, 6);
  expect((8 * weightBytes) / macs).toBeCloseTo(baseline.bitsPerWeight, 6);

  expect(await rowsOf('--abits', '8')).toMatchObject([{ cached: true }]);
  expect(await rowsOf('--damping', '0.02')).toMatchObject([{ cached: false }]);
  const { stdout } = await compare(folder.path, 'pb-llm-90');
  expect(stdout).toMatch(/│ pb-llm-90 .*│ +1\.70 │/);
  expect(stdout).toContain('Without a packed format, run as floats: pb-llm-90. ');
});

test('every row that runs when it is named, and the rotated ones, on a tiny model', async () => {
  using folder = scratch();
  const model = await writeTinyModel(join(folder.path, 'tiny'));
  const names = METHODS.map(({ name }) => name).filter((name) => !name.startsWith('omniquant'));
  const shared = ['--text', TEXT, ...TINY, '--cache', join(folder.path, 'cache'), '--json'];
  const { code, stdout } = await run('compare', model, ...shared, '--methods', names.join());
  expect(code).toBe(0);
  const rows: Row[] = JSON.parse(stdout).rows;
  expect(rows.map(({ method, error }) => [method, error])).toEqual(names.map((name) => [name, null]));
  const row = (name: string) => rows.find(({ method }) => method === name) as DoneRow;
  for (const name of names) expect(row(name).evaluation.perplexity).toBeGreaterThan(1);
  for (const steps of [2.4, 1.7, 1.35]) {
    const ternary = row(`ternary-${steps}`);
    // The budget is spent but for less than a channel of each linear.
    expect(ternary.averageWeightSteps).toBeLessThanOrEqual(steps);
    expect(ternary.averageWeightSteps).toBeGreaterThan(steps - 0.1);
    expect(ternary.averageSteps).toBeNull();
    expect(row(`pb-llm-${{ 2.4: 80, 1.7: 90, 1.35: 95 }[steps]}`).averageWeightSteps).toBeCloseTo(steps, 6);
  }
  expect(row('ternary')).toMatchObject({ settings: { pipeline: 'gptq', options: { weights: 'ternary' } } });
  expect(row('ternary').averageSteps).toBeGreaterThan(1);
  for (const name of ['rtn', 'gptq', 'gptq-fisher']) {
    const rotated = row(`${name}-rotated`);
    expect(rotated.settings).toEqual({ ...row(name).settings, rotate: 'hadamard' });
    expect(rotated.evaluation.perplexity).not.toBe(row(name).evaluation.perplexity);
  }
  expect(row('billm')).toMatchObject({
    settings: null,
    baseline: { method: { name: 'billm' } },
    bytes: null,
  });
  // A second pass for some columns, and none for others.
  expect(row('billm').averageWeightSteps).toBeGreaterThan(1);
  expect(row('billm').averageWeightSteps).toBeLessThan(2);
}, 60_000);

test('eval gives the perplexity of the table', async () => {
  using folder = scratch();
  const { stdout } = await compare(folder.path, 'float', '--json');
  const evaluated = await run(
    'eval',
    MODEL,
    '--text',
    TEXT,
    '--window',
    '32',
    '--max-windows',
    '2',
    '--json',
  );
  expect(JSON.parse(stdout).rows[0].evaluation.perplexity).toBe(JSON.parse(evaluated.stdout).perplexity);
});

test('the table for people', async () => {
  using folder = scratch();
  const { code, stdout } = await compare(folder.path, 'float,rtn-t2');
  expect(code).toBe(0);
  const rows = stdout.split('\n').filter((line) => /^│ (float|rtn-t2) /.test(line));
  expect(rows).toHaveLength(2);
  // Nothing has ternary weights here, so there is no column of weight steps.
  expect(stdout.split('\n')[1].trim()).toMatch(/│ bits per │ spike │/);
  expect(stdout).toContain('Perplexity on 2 windows of 32 tokens.');
  expect(stdout).toContain('Energy is an estimate');
  expect(stdout).toContain(`${SIMULATION_NOTE}\n`);
  expect(stdout).not.toContain('Kept from');
  const { stdout: again } = await compare(folder.path, 'rtn,rtn-t2');
  expect(again).toContain('Kept from an earlier run, times as they were then: rtn-t2.\n');
});

async function comparison() {
  const model = await openModelFolder(MODEL);
  const session = { stdout: sink(), stderr: sink(), signal: new AbortController().signal };
  const ids = (await model.tokenizer()).encode(readFileSync(TEXT, 'utf8')).slice(0, 64);
  return {
    session,
    shared: {
      model,
      fingerprint: await fingerprintModel(session, model),
      settings: DEFAULT_SETTINGS,
      ownOptions: () => ({}),
      backend: createReferenceBackend(),
      calibration: [ids.slice(0, 16)],
      evaluation: ids.slice(16, 32),
      windows: { window: 16 },
      version: 'test',
    },
  };
}

const BROKEN: Method = { name: 'broken', title: 'broken', settings: { pipeline: 'rtn', weightBits: 99 } };

test('a method that fails is a row with its error, is not kept, and leaves nothing behind', async () => {
  using folder = scratch();
  const { session, shared } = await comparison();
  await using _ = shared.model;
  const cache = await openCache(folder.path, { fresh: false });
  const rows: Row[] = [];
  await runMethods(session, shared, [BROKEN, ...parseMethods('rtn')], cache, (row) => rows.push(row));
  expect(rows[0]).toMatchObject({
    method: 'broken',
    error: 'weightBits: expected a whole number from 2 to 8, or 16 for float, received 99.',
  });
  expect(rows[1]).toMatchObject({ method: 'rtn', error: null });
  expect(readdirSync(folder.path)).toHaveLength(1);
  expect(shared.backend.liveBytes).toBe(0);
});

test('Ctrl-C keeps the rows that are finished', async () => {
  using folder = scratch();
  const { session, shared } = await comparison();
  await using _ = shared.model;
  const cache = await openCache(folder.path, { fresh: false });
  const controller = new AbortController();
  const rows: Row[] = [];
  const running = runMethods(
    { ...session, signal: controller.signal },
    shared,
    parseMethods('rtn,rtn-t2'),
    cache,
    (row) => {
      rows.push(row);
      controller.abort(new Error('enough'));
    },
  );
  await expect(running).rejects.toThrow('enough');
  expect(rows.map(({ method }) => method)).toEqual(['rtn']);
  const after: Row[] = [];
  await runMethods(session, shared, parseMethods('rtn'), cache, (row) => after.push(row));
  expect(after).toMatchObject([{ method: 'rtn', cached: true }]);
});

test('a result that was cut short is measured again', async () => {
  using folder = scratch();
  const cache = await openCache(folder.path, { fresh: false });
  await cache.keep({ of: 1 }, { value: 5 });
  expect(await cache.find({ of: 1 })).toEqual({ value: 5 });
  expect(await cache.find({ of: 2 })).toBeUndefined();
  const [file] = readdirSync(folder.path);
  folder.file(file, '{"value"');
  expect(await cache.find({ of: 1 })).toBeUndefined();
});

test('methods have names of their own, and all means all', () => {
  expect(new Set(METHODS.map(({ name }) => name)).size).toBe(METHODS.length);
  expect(parseMethods('all')).toEqual(METHODS);
  expect(parseMethods('rtn, float,rtn').map(({ name }) => name)).toEqual(['rtn', 'float']);
});

test('what cannot be compared is refused in one sentence before the work begins', async () => {
  using folder = scratch();
  const refused = async (expected: string | RegExp, ...argv: string[]): Promise<void> => {
    const { code, stdout, stderr } = await run('compare', ...argv, '--cache', join(folder.path, 'cache'));
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(expected);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  };
  const names = METHODS.map(({ name }) => name).join(', ');
  const base = [MODEL, '--text', TEXT];
  await refused(
    `--methods: expected all, or names among ${names}, with commas between them, received best.`,
    ...base,
    '--methods',
    'rtn,best',
  );
  await refused('received an empty name.', ...base, '--methods', 'rtn,,float');
  await refused(
    `--html: expected a file that can be written, received ${folder.path}, which is a folder.`,
    ...base,
    '--html',
    folder.path,
  );
  await refused(
    `--html: expected a file that can be written, received ${join(folder.path, 'no', 'r.html')}, whose folder ${join(folder.path, 'no')} does not exist.`,
    ...base,
    '--html',
    join(folder.path, 'no', 'r.html'),
  );
  const short = folder.file('short.txt', 'Once upon a time.');
  await refused(/^text: expected at least 256 tokens .*, received \d+; .*\.$/, MODEL, '--text', short);
  await refused(
    /^calibration text: expected at least 257 tokens for windows of 256, received \d+; .*\.$/,
    ...base,
    '--calibration',
    short,
  );
  const missing = join(folder.path, 'missing.txt');
  await refused(
    `--calibration: expected a text file, received ${missing}, which does not exist.`,
    ...base,
    '--calibration',
    missing,
  );
  const out = join(folder.path, 'out');
  await run('quantize', MODEL, '--out', out, '--samples', '1', '--seqlen', '8', '--eval-windows', '1');
  await refused(
    `${out}: expected a float model, which every method quantises by itself, received one that is quantised already.`,
    out,
    '--text',
    TEXT,
  );
});
