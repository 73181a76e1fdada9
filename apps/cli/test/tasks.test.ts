import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { findTask } from '@spikellm/evaluation';
import { loadDecoder } from '@spikellm/graph';
import { Interrupted } from '../src/session.ts';
import { openTasks, runTasks } from '../src/tasks.ts';
import { MODEL, run, scratch, sink, TEXT } from './run.ts';
import { writeTinyModel } from './tiny-model.ts';

const PIQA = [
  { goal: 'Open the door.', sol1: 'Turn the key.', sol2: 'Eat the key.', label: 0 },
  { goal: 'Boil an egg.', sol1: 'Put it into the sea.', sol2: 'Put it into hot water.', label: 1 },
  { goal: 'Read.', sol1: 'Take a book.', sol2: 'Take a nut.', label: 0 },
];
const lines = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');

test('eval --tasks prints what each item got, in the order of the file', async () => {
  using folder = scratch();
  folder.file('piqa.validation.jsonl', lines(PIQA));
  folder.file('lambada_openai.test.jsonl', lines([{ context: 'Once upon a', continuation: 'time' }]));
  const cache = join(folder.path, 'cache');
  const argv = ['eval', MODEL, '--task-data', folder.path, '--cache', cache, '--backend', 'reference'];
  const { code, stdout } = await run(...argv, '--tasks', 'lambada_openai,piqa', '--limit', '2', '--json');
  expect(code).toBe(0);
  const { tasks, ...rest } = JSON.parse(stdout);
  expect(rest).toEqual({ model: MODEL, backend: 'reference' });
  expect(Object.keys(tasks)).toEqual(['lambada_openai', 'piqa']);
  expect(tasks.lambada_openai).toMatchObject({ acc: 1, acc_norm: null, stderr: null, count: 1 });
  const [{ logLikelihoods, greedy }] = tasks.lambada_openai.items;
  expect(greedy).toEqual([true]);
  expect(tasks.lambada_openai.perplexity).toBeCloseTo(Math.exp(-logLikelihoods[0]), 10);
  expect(tasks.piqa).toMatchObject({ count: 2, truncated: 0, acc_norm_stderr: expect.any(Number) });
  expect(tasks.piqa.items.map(({ index }: { index: number }) => index)).toEqual([0, 1]);
  expect(tasks.piqa.items[0]).toEqual({
    index: 0,
    logLikelihoods: [expect.any(Number), expect.any(Number)],
    greedy: [false, false],
  });
  expect(readdirSync(cache)).toEqual([]);

  const { stdout: shown } = await run(...argv, '--tasks', 'piqa', '--text', TEXT, '--max-windows', '1');
  expect(shown).toContain('perplexity  ');
  expect(shown).toMatch(/│ piqa +│ \d+\.\d\d % ± \d+\.\d\d │/);
});

test('an interrupted run goes on from the items that are finished', async () => {
  using folder = scratch();
  folder.file('piqa.validation.jsonl', lines(PIQA));
  const cache = join(folder.path, 'cache');
  const stop = new AbortController();
  await using model = await openModelFolder(await writeTinyModel(join(folder.path, 'model')));
  using backend = createReferenceBackend();
  using decoder = await loadDecoder({ config: model.config, tensors: model.tensors, backend });
  const session = { stdout: sink(), stderr: sink(), signal: stop.signal };
  const options = { tasks: [findTask('piqa')], taskData: folder.path, cache };
  const opened = await openTasks(session, model, options);
  const slow = {
    ...decoder,
    forward: ((ids, kept, forward) => {
      if (readKept(cache).split('\n').length > 1) stop.abort(new Interrupted());
      return decoder.forward(ids, kept, forward);
    }) as typeof decoder.forward,
  };
  const context = { model, decoder, backend };
  await expect(runTasks(session, { ...context, decoder: slow }, opened, options)).rejects.toThrow(
    'Interrupted; finished items are kept, run the same command again to go on from there.',
  );
  const [file] = readdirSync(cache);
  const kept = readKept(cache);
  expect(kept.split('\n')).toHaveLength(2);
  // What is there is taken as it is, and a line that was cut off is not.
  writeFileSync(join(cache, file), `${kept.replace('[-', '[-9')}{"index":1,"logLik`);
  const again = { ...session, signal: new AbortController().signal };
  const { piqa } = await runTasks(again, context, opened, options);
  expect(again.stderr.text()).toContain('piqa: 1 items are kept from a run before');
  expect(piqa.items[0]).toEqual(JSON.parse(kept.replace('[-', '[-9')));
  expect(piqa.items.map(({ index }) => index)).toEqual([0, 1, 2]);
  expect(readdirSync(cache)).toEqual([]);
});

function readKept(cache: string): string {
  const [file] = readdirSync(cache);
  return file === undefined ? '' : readFileSync(join(cache, file), 'utf8');
}

test('a context longer than that of the model loses its beginning, which is said', async () => {
  using folder = scratch();
  const model = await writeTinyModel(join(folder.path, 'model'));
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8'));
  writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, max_position_embeddings: 8 }));
  folder.file('piqa.validation.jsonl', lines(PIQA));
  const argv = [
    'eval',
    model,
    '--tasks',
    'piqa',
    '--task-data',
    folder.path,
    '--cache',
    join(folder.path, 'cache'),
  ];
  const { stderr, stdout, code } = await run(...argv, '--backend', 'reference', '--json', '--limit', '1');
  expect(code).toBe(0);
  expect(stderr).toBe(
    "piqa: 1 of 1 items are longer than the model's context of 8 tokens and lose their beginning\n",
  );
  expect(JSON.parse(stdout).tasks.piqa.truncated).toBe(1);
  folder.file(
    'piqa.validation.jsonl',
    lines([{ ...PIQA[0], sol2: 'Turn the key and then go in. '.repeat(3) }]),
  );
  expect((await run(...argv)).stderr).toContain(
    'choice 1: expected a choice of 1 to 8 tokens, the context of the model',
  );
});

test('bad input is one sentence', async () => {
  using folder = scratch();
  const empty = join(folder.path, 'empty');
  mkdirSync(empty);
  folder.file('piqa.validation.jsonl', lines([{ goal: 'x', sol1: 'y', label: 0 }]));
  const cases: readonly [readonly string[], string | RegExp][] = [
    [[], 'eval: expected --text, --tasks or both, received neither.'],
    [['--tasks', 'piqua'], /--tasks: expected piqa, arc_easy, .*, received piqua\./],
    [
      ['--tasks', 'piqa'],
      /--task-data: expected a folder with piqa\.validation\.jsonl, received nothing; piqa takes/,
    ],
    [['--tasks', 'piqa', '--task-data', empty], /received .*empty; piqa takes `goal`, `sol1`, `sol2`/],
    [['--tasks', 'piqa', '--task-data', folder.path], /row 0: expected sol2 to be there, received nothing/],
    [['--tasks', 'piqa', '--limit', '0'], '--limit: expected a whole number above 0, received 0.'],
    [
      ['--tasks', 'piqa', '--operations'],
      '--operations: expected --text, whose spikes are counted, received none.',
    ],
  ];
  for (const [argv, sentence] of cases) {
    const { code, stderr } = await run('eval', MODEL, ...argv);
    expect(code).toBe(1);
    expect(stderr).toMatch(sentence);
    expect(stderr.trim().split('\n')).toHaveLength(1);
  }
});
