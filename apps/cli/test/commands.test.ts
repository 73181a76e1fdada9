import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readGolden } from '@spikellm/golden';
import { demo } from '../src/commands/demo.ts';
import { MODEL, run, scratch, sink, TEXT } from './run.ts';

/** Which backend `auto` takes depends on whether there was a compiler. */
const TAKEN = expect.stringMatching(/^(cpu|reference)$/);

const EVAL = ['eval', MODEL, '--text', TEXT, '--window', '32', '--max-windows', '2'];

test('eval prints one JSON document and says which backend it took', async () => {
  const { code, stdout, stderr } = await run(...EVAL, '--json');
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result).toMatchObject({ model: MODEL, backend: TAKEN, tokens: 62, windows: 2, window: 32 });
  expect(result.perplexity).toBeCloseTo(Math.exp(result.nll), 10);
  expect(result.perplexity).toBeGreaterThan(1);
  expect(result.perplexity).toBeLessThan(200);
  expect(result.seconds).toBeGreaterThan(0);
  expect(result.protocol).toContain('windows do not overlap');
  expect(stderr).toMatch(/^(backend cpu is not used: .*\n)?backend (cpu|reference): .* \(the .*\)\n$/);
});

test('eval for people shows the same number, its protocol and nothing on stderr for a named backend', async () => {
  const { perplexity } = JSON.parse((await run(...EVAL, '--backend', 'reference', '--json')).stdout);
  const { stdout, stderr } = await run(...EVAL, '--backend', 'reference');
  expect(stdout).toContain(`perplexity  ${perplexity.toFixed(4)}\n`);
  expect(stdout).toContain('2 windows of 32 tokens, 62 predicted');
  expect(stdout).toContain('KV cache    float\n');
  expect(stderr).toBe('');
});

test('threads that a backend does not have are said', async () => {
  const { code, stderr } = await run(...EVAL, '--backend', 'reference', '--threads', '3');
  expect(code).toBe(0);
  expect(stderr).toBe('--threads 3: the reference backend runs on 1\n');
});

const [{ prompt, ids: promptIds, greedy_ids: greedyIds, greedy_text: greedyText }] =
  readGolden('tales').prompts;

test('generate continues as the float model does elsewhere', async () => {
  const { code, stdout } = await run('generate', MODEL, '--prompt', prompt, '--max-tokens', '20', '--json');
  expect(code).toBe(0);
  const result = JSON.parse(stdout);
  expect(result.ids).toEqual(greedyIds.slice(0, promptIds.length + 20));
  expect(greedyText.startsWith(result.text)).toBe(true);
  expect(result).toMatchObject({ prompt, tokens: 20, promptTokens: promptIds.length, backend: TAKEN });
  expect(result.tokensPerSecond).toBeGreaterThan(0);
});

test('generate streams the prompt and what follows, up to a stop text', async () => {
  const stop = 'years';
  const { stdout } = await run(
    'generate',
    MODEL,
    '--prompt',
    prompt,
    '--max-tokens',
    '20',
    '--stop',
    'xyz',
    '--stop',
    stop,
  );
  expect(stdout).toBe(`${greedyText.slice(0, greedyText.indexOf(stop))}\n`);
});

test('a seed draws the same text again', async () => {
  const draw = async (seed: string): Promise<number[]> => {
    const options = [
      '--max-tokens',
      '8',
      '--temperature',
      '1.5',
      '--top-k',
      '50',
      '--top-p',
      '0.99',
      '--seed',
      seed,
    ];
    return JSON.parse((await run('generate', MODEL, '--prompt', 'A king', ...options, '--json')).stdout).ids;
  };
  expect(await draw('1')).toEqual(await draw('1'));
  expect(await draw('1')).not.toEqual(await draw('2'));
});

test('quantize, then inspect, eval and generate the result', async () => {
  using folder = scratch();
  const out = join(folder.path, 'spiking model');
  const tiny = ['--samples', '2', '--seqlen', '32', '--eval-windows', '2'];
  const { code, stdout, stderr } = await run(
    'quantize',
    MODEL,
    '--out',
    out,
    '--text',
    TEXT,
    ...tiny,
    '--json',
  );
  expect(stderr).not.toContain('bundled');
  expect(code).toBe(0);
  const made = JSON.parse(stdout);
  expect(made).toMatchObject({ out, backend: TAKEN, windows: 2, window: 32, tokens: 62 });
  expect(made.averageSteps).toBeCloseTo(1.1, 1);
  expect(made).toMatchObject({ meanSteps: made.averageSteps, transformMacRatio: 0, kv: { key: 'block' } });
  expect(made.aceRatio).toBeCloseTo(1.1, 1);
  expect(made.floatResidueBits).toBe(made.kv.floatResidueBits);
  expect(made.bitsPerWeight).toBeGreaterThan(4);
  expect(made.bitsPerWeight).toBeLessThan(4.5);
  expect(made.seconds).toBeGreaterThan(0);

  expect(made.repeat).toBe(`spikellm eval '${out}' --text ${TEXT} --window 32 --max-windows 2`);
  const again = await run('eval', out, '--text', TEXT, '--window', '32', '--max-windows', '2', '--json');
  expect(JSON.parse(again.stdout).perplexity).toBe(made.perplexity);

  const report = JSON.parse((await run('inspect', out, '--json')).stdout);
  expect(report.total.bitsPerWeight).toBe(made.bitsPerWeight);
  expect(report.total.averageSteps).toBe(made.averageSteps);
  expect(report.total.thresholdBits).toBeGreaterThan(0);
  expect(made.bitsPerActivation).toBeCloseTo(4 * made.averageSteps + report.total.thresholdBits, 10);
  for (const name of [
    'meanSteps',
    'aceRatio',
    'transformMacRatio',
    'kv',
    'floatResidueBits',
    'bitsPerWeight',
    'bitsPerActivation',
  ])
    expect(report[name]).toEqual(made[name]);
  expect(report.linears).toHaveLength(35);
  expect(report.kv.key).toBe('block');
  const { stdout: shown } = await run('inspect', out);
  expect(shown).toContain('spiking W4A4, rtn, lossless range');
  expect(shown).toContain(`${report.total.salientChannels} of ${report.total.inputChannels}`);

  const spoken = JSON.parse(
    (await run('generate', out, '--prompt', 'A king', '--max-tokens', '3', '--json')).stdout,
  );
  expect(spoken.tokens).toBe(3);
});

test('quantize for people says what it calibrated on and how to repeat the number', async () => {
  using folder = scratch();
  const out = join(folder.path, 'out');
  const tiny = [
    '--samples',
    '1',
    '--seqlen',
    '16',
    '--eval-windows',
    '1',
    '--kv',
    'token',
    '--steps',
    '4',
    '--embedding-bits',
    '8',
  ];
  const { stdout, stderr } = await run('quantize', MODEL, '--out', out, '--pipeline', 'smoothquant', ...tiny);
  expect(stderr).toContain('calibrating on the bundled text');
  expect(stdout).toMatch(
    /perplexity \d+\.\d{4} on the calibration text \(1 windows of 16 tokens, 15 predicted\)/,
  );
  expect(stdout).toContain(`repeat: spikellm eval ${out} --text `);
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
  expect(config.quantization_config).toMatchObject({
    pipeline: 'smoothquant',
    activations: { steps: 4 },
    kv: { key: 'token' },
    embeddings: { bits: 8 },
  });
  expect((await run('inspect', out)).stdout).toMatch(
    /bits per embedding {3}8\.\d{3} a weight, the head included/,
  );
});

test('quantize writes ternary weights of single weights and groups, and inspect says so', async () => {
  using folder = scratch();
  const out = join(folder.path, 'elements');
  const tiny = ['--samples', '1', '--seqlen', '16', '--eval-windows', '1', '--abits', '16'];
  const options = [
    '--pipeline',
    'gptq',
    '--weights',
    'ternary',
    '--weight-unit',
    'element',
    '--weight-group',
    '100',
  ];
  const { code, stdout } = await run(
    'quantize',
    MODEL,
    '--out',
    out,
    '--text',
    TEXT,
    ...tiny,
    ...options,
    '--json',
  );
  expect(code).toBe(0);
  const { bitsPerWeight } = JSON.parse(stdout);
  // A trit, two more for a fifth, the map, and 2 scales for each started 100 of 256 or 688 columns, which are 256 wide at least.
  expect(bitsPerWeight).toBeGreaterThan(2.8 + 1 + (2 * 32) / 100);
  expect(bitsPerWeight).toBeLessThan(2.8 + 1 + (2 * 3 * 32) / 256 + 0.01);
  const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
  expect(config.quantization_config).toMatchObject({
    format_version: 1,
    weights: { kind: 'ternary', steps: [1, 3], group: 100, unit: 'element' },
  });
  expect((await run('inspect', out)).stdout).toContain(
    'spiking ternary weights of 1 or 3 steps a weight, scales for groups of 100 columns, A16, gptq',
  );
});

test('the demo compares four models and tells a story', async () => {
  const [stdout, stderr] = [sink(), sink()];
  const session = { stdout, stderr, signal: new AbortController().signal };
  await demo(session, { backend: 'auto' }, { calibrationWindows: 1, evaluationWindows: 1, storyTokens: 12 });
  const shown = stdout.text();
  const rows = shown.split('\n').filter((line) => /float|W4A4/.test(line));
  expect(rows).toHaveLength(4);
  for (const row of rows) expect(Number(row.split('│')[2])).toBeGreaterThan(1);
  expect(rows.map((row) => row.split('│')[4].trim())).toEqual(['-', '1.00', '1.10', '1.15']);
  expect(shown).toContain('Spikes are simulated here');
  expect(shown.split('\n').at(-2)).toMatch(/^Once upon a time there was .{10,}$/);
});
