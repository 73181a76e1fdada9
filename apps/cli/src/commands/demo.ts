import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Backend } from '@spikellm/backend';
import {
  collectStatistics,
  DEFAULT_SETTINGS,
  quantize,
  sampleWindows,
  type LayerStatistics,
} from '@spikellm/calibration';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { describeModel } from '@spikellm/evaluation';
import { generateText, parseModel } from '@spikellm/graph';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { BUNDLED_CALIBRATION_TEXT, BUNDLED_EVALUATION_TEXT, BUNDLED_MODEL } from '../bundled.ts';
import { table } from '../format.ts';
import { measure } from '../measure.ts';
import { openDecoder } from '../model.ts';
import { withBackend, withVerbose } from '../options.ts';
import { showProgress } from '../progress.ts';
import { print, type Session } from '../session.ts';
import { readText } from '../text.ts';

/** Windows of 256 tokens, the whole context of the bundled model. */
const WINDOW = 256;
const PROMPT = 'Once upon a time there was';

/** Settings of the table, all W4A4; the storyteller is the one that tells the story. */
const VARIANTS = [
  { name: 'W4A4 round-to-nearest', steps: 1, salientFraction: 0 },
  { name: 'W4A4 spiking, T=2 in 10 %', steps: 2, salientFraction: 0.1, storyteller: true },
  { name: 'W4A4 spiking, T=4 in 5 %', steps: 4, salientFraction: 0.05 },
];

/** How much the demo does. */
export interface DemoSize {
  readonly calibrationWindows: number;
  readonly evaluationWindows: number;
  readonly storyTokens: number;
}

export function addDemo(program: Command, session: Session): void {
  const command = program
    .command('demo')
    .description(
      'Turn the bundled model into spiking ones, compare them, and hear a story. Needs no network.',
    );
  withVerbose(withBackend(command), 'demo').action((options: BackendOptions) =>
    demo(session, options, { calibrationWindows: 8, evaluationWindows: 16, storyTokens: 160 }),
  );
}

export async function demo(session: Session, options: BackendOptions, size: DemoSize): Promise<void> {
  await using model = await openModelFolder(BUNDLED_MODEL);
  const tokenizer = await model.tokenizer();
  const encodeFile = async (path: string): Promise<number[]> => tokenizer.encode(await readText(path));
  const evaluation = await encodeFile(BUNDLED_EVALUATION_TEXT);
  const windows = sampleWindows(await encodeFile(BUNDLED_CALIBRATION_TEXT), {
    samples: size.calibrationWindows,
    length: WINDOW,
    seed: DEFAULT_SETTINGS.seed,
  });
  using backend = await openBackend(session, options);
  const folder = await mkdtemp(join(tmpdir(), 'spikellm-demo-'));
  try {
    const statistics = await calibrate(session, model, backend, windows);
    const rows = [await measureRow(session, 'float', model, backend, evaluation, size)];
    let storyteller = '';
    for (const { name, steps, salientFraction, storyteller: tells } of VARIANTS) {
      const out = join(folder, `T${steps}`);
      const settings = { ...DEFAULT_SETTINGS, steps, salientFraction };
      await quantize({ model, out, backend, settings, windows, statistics, signal: session.signal });
      await using written = await openModelFolder(out);
      rows.push(await measureRow(session, name, written, backend, evaluation, size));
      if (tells) storyteller = out;
    }
    const head = ['model', 'perplexity', 'bits per weight', 'average steps', 'bits per activation'];
    print(session, table(head, rows));
    print(
      session,
      `Perplexity on ${size.evaluationWindows} windows of ${WINDOW} tokens of the bundled tales, after calibration on ` +
        `${size.calibrationWindows} windows of other tales; a text this short tells models apart only roughly.`,
    );
    print(session, 'Spikes are simulated here, as on all dense hardware: they save neither time nor energy.');
    await tellStory(session, storyteller, backend, size.storyTokens);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function calibrate(
  session: Session,
  { config, tensors }: ModelFolder,
  backend: Backend,
  windows: readonly number[][],
): Promise<LayerStatistics[]> {
  using progress = showProgress(session);
  return await collectStatistics({
    graph: parseModel(config),
    tensors,
    backend,
    windows,
    signal: session.signal,
    onProgress: (done, total) => progress.update('calibrate', done, total),
  });
}

async function measureRow(
  session: Session,
  name: string,
  model: ModelFolder,
  backend: Backend,
  ids: readonly number[],
  { evaluationWindows }: DemoSize,
): Promise<string[]> {
  const { total } = await describeModel(model.config, model.tensors, { signal: session.signal });
  const { perplexity } = await measure(session, model, backend, ids, {
    window: WINDOW,
    maxWindows: evaluationWindows,
  });
  return [
    name,
    perplexity.toFixed(2),
    total.bitsPerWeight.toFixed(2),
    total.averageSteps?.toFixed(2) ?? '-',
    total.transmittedBits.toFixed(2),
  ];
}

async function tellStory(session: Session, path: string, backend: Backend, maxTokens: number): Promise<void> {
  await using model = await openModelFolder(path);
  using decoder = await openDecoder(session, model, backend);
  const tokenizer = await model.tokenizer();
  print(session, '\nA story, spike by spike:\n');
  session.stdout.write(PROMPT);
  const ids = tokenizer.encode(PROMPT);
  const detokenizer = tokenizer.stream();
  for (const id of ids) detokenizer.push(id);
  const options = { maxTokens, temperature: 0.6, topP: 0.9, seed: 0, detokenizer, signal: session.signal };
  for await (const { text } of generateText(decoder, ids, options)) session.stdout.write(text);
  print(session, '');
}
