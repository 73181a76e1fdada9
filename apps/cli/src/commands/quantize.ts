import { SpikeError } from '@spikellm/backend';
import { DEFAULT_MEMORY, type QuantizeSettings, type TrainingProgress } from '@spikellm/calibration';
import { quantize, type QuantizeOptions, type QuantizeProgress, type Written } from '@spikellm/llm';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { windowsOf } from '../format.ts';
import { MODEL_ARGUMENT } from '../model.ts';
import { option, sizes, wholeAbove, wholeBetween, withBackend, withVerbose } from '../options.ts';
import { showProgress } from '../progress.ts';
import { olderWords, settingsOf, withSettings } from '../quantize-settings.ts';
import { holdNotes, Interrupted, note, print, printJson, type HeldNotes, type Session } from '../session.ts';
import { readText } from '../text.ts';
import { dryRun } from './dry-run.ts';

interface QuantizeCommandOptions extends BackendOptions {
  readonly out?: string;
  readonly dryRun?: boolean;
  readonly text?: string;
  readonly samples: number;
  readonly seqlen: number;
  readonly memory: number;
  readonly resume?: boolean;
  readonly evalWindows: number;
  readonly json?: boolean;
}

export function addQuantize(program: Command, session: Session): void {
  const command = program
    .command('quantize')
    .description('Turn a float model into a spiking one, without training its weights.')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--out <dir>', 'folder to write; must not exist')
    .option(
      '--dry-run',
      'only say what memory, disk and time every pipeline would take; a config.json is enough',
    );
  withSettings(command)
    .option('--text <file>', 'UTF-8 text to calibrate on (default: the bundled one)')
    .addOption(option('--samples <n>', 'calibration windows', wholeAbove(0)).default(32))
    .addOption(option('--seqlen <n>', 'tokens in a window', wholeBetween(2, 2 ** 20)).default(256))
    .addOption(
      option('--memory <size>', 'activations between layers that stay in memory', sizes).default(
        DEFAULT_MEMORY,
        '2GiB',
      ),
    )
    .option('--resume', 'continue an interrupted run of the same command')
    .addOption(
      option('--eval-windows <n>', 'windows of the text to evaluate at the end', wholeAbove(0)).default(16),
    )
    .option('--json', 'print one JSON document');
  withVerbose(
    withBackend(command),
    'quantize ./tales --out ./tales-spiking --wbits 4 --abits 4 --steps 2 --salient 0.1',
  ).action((model: string, options: QuantizeCommandOptions) => {
    const settings = settingsOf(command);
    for (const line of olderWords(command)) note(session, line);
    return run(session, model, settings, options);
  });
}

async function run(
  session: Session,
  name: string,
  settings: QuantizeSettings,
  options: QuantizeCommandOptions,
): Promise<void> {
  const { out, text: path } = options;
  if (options.dryRun === true) return dryRun(session, name, settings, options);
  if (out === undefined) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: '--out',
      expected: 'a folder to write',
      received: 'nothing',
    });
  }
  const text = path === undefined ? undefined : { name: path, text: await readText(path) };
  const notes = holdNotes(session);
  using backend = await openBackend(session, options, notes.say);
  const { samples, seqlen, memory, resume = false, evalWindows } = options;
  const report = await watched(session, notes, (watching) =>
    quantize(name, out, settings, {
      ...watching,
      text,
      backend,
      samples,
      seqlen,
      memory,
      resume,
      evalWindows,
    }),
  );
  if (options.json === true) {
    printJson(session, report);
    return;
  }
  const { bitsPerWeight, averageSteps, bitsPerActivation, perplexity } = report;
  const activations =
    averageSteps === null
      ? 'float activations'
      : `${averageSteps.toFixed(3)} steps per channel, ${bitsPerActivation.toFixed(2)} bits per activation`;
  print(session, `${out} written in ${report.seconds.toFixed(1)} s`);
  print(session, `${bitsPerWeight.toFixed(3)} bits per weight, ${activations}`);
  print(session, `perplexity ${perplexity.toFixed(4)} on the calibration text (${windowsOf(report)})`);
  print(session, `repeat: ${report.repeat}`);
}

type Watching = Required<Pick<QuantizeOptions, 'signal' | 'onProgress' | 'onNotice' | 'onWritten'>>;

/** Runs with a bar, and with notes as soon as everything is checked; an interrupted run says how to go on. */
async function watched<T>(
  session: Session,
  notes: HeldNotes,
  body: (watching: Watching) => Promise<T>,
): Promise<T> {
  using progress = showProgress(session);
  const { signal } = session;
  let written: Written | undefined;
  try {
    return await body({
      signal,
      onNotice: notes.say,
      onWritten: (model) => (written = model),
      onProgress(step) {
        if (!BEFORE_WORK.includes(step.phase)) notes.release();
        const detail = 'training' in step && step.training ? describeTraining(step.training) : undefined;
        progress.update(step.phase, step.done, step.total, detail);
      },
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted(
      written === undefined
        ? 'Interrupted; run the same command with --resume to go on from here.'
        : `Interrupted; ${written.out} is complete, measure it with: ${written.repeat}`,
    );
  }
}

/** While these last the run may still be refused. */
const BEFORE_WORK: readonly QuantizeProgress['phase'][] = ['download', 'check'];

/** Where training stands, and what it has won so far. */
function describeTraining({ layer, layers, epochs, losses }: TrainingProgress): string {
  const at = `| layer ${layer + 1} of ${layers}, epoch ${Math.min(losses.length + 1, epochs)} of ${epochs}`;
  if (losses.length === 0) return at;
  const [first, last] = [losses[0], losses.at(-1)!].map((loss) => loss.toPrecision(3));
  return `${at}, loss ${first} -> ${last}`;
}
