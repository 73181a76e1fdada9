import { SpikeError } from '@spikellm/backend';
import {
  DEFAULT_MEMORY,
  quantize,
  sampleWindows,
  type QuantizeOptions,
  type QuantizeSettings,
  type TrainingProgress,
} from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { cutWindows, describeModel, modelCost } from '@spikellm/evaluation';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { BUNDLED_CALIBRATION_TEXT } from '../bundled.ts';
import { shellQuote, windowsOf } from '../format.ts';
import { measure, secondsSince } from '../measure.ts';
import { MODEL_ARGUMENT, openModel } from '../model.ts';
import { option, sizes, wholeAbove, wholeBetween, withBackend, withVerbose } from '../options.ts';
import { showProgress } from '../progress.ts';
import { settingsOf, withSettings } from '../quantize-settings.ts';
import { Interrupted, note, print, printJson, type Session } from '../session.ts';
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
  ).action((model: string, options: QuantizeCommandOptions) =>
    run(session, model, settingsOf(command), options),
  );
}

async function run(
  session: Session,
  name: string,
  settings: QuantizeSettings,
  options: QuantizeCommandOptions,
): Promise<void> {
  const { out, seqlen, samples, text = BUNDLED_CALIBRATION_TEXT } = options;
  const { seed } = settings;
  if (options.dryRun === true) return dryRun(session, name, settings, options);
  if (out === undefined) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: '--out',
      expected: 'a folder to write',
      received: 'nothing',
    });
  }
  const content = await readText(text);
  await using model = await openModel(session, name);
  const ids = (await model.tokenizer()).encode(content);
  const windows = sampleWindows(ids, { samples, length: seqlen, seed });
  const evaluated = { window: seqlen, maxWindows: options.evalWindows };
  cutWindows(ids, evaluated); // a short text is known before the work begins
  if (options.text === undefined) note(session, `calibrating on the bundled text, ${text}`);
  using backend = await openBackend(session, options);
  const began = performance.now();
  const { memory, resume = false } = options;
  await calibrate(session, { model, out, backend, settings, windows, memory, resume });
  const seconds = secondsSince(began);

  await using written = await openModelFolder(out);
  const report = await describeModel(written.config, written.tensors);
  const { total, bytes } = report;
  const repeat = `spikellm eval ${shellQuote(out)} --text ${shellQuote(text)} --window ${seqlen} --max-windows ${options.evalWindows}`;
  const { seconds: evalSeconds, ...result } = await measure(session, written, backend, ids, evaluated).catch(
    (error: unknown) => {
      if (!session.signal.aborted) throw error;
      throw new Interrupted(`Interrupted; ${out} is complete, measure it with: ${repeat}`);
    },
  );
  if (options.json === true) {
    printJson(session, {
      model: name,
      out,
      settings,
      text,
      samples,
      seqlen,
      ...result,
      averageSteps: total.averageSteps,
      ...modelCost(written.config, report),
      informationBitsPerActivation: total.informationBits,
      bytes: bytes.total,
      backend: backend.name,
      seconds,
      evalSeconds,
      repeat,
    });
    return;
  }
  const activations =
    total.averageSteps === null
      ? 'float activations'
      : `${total.averageSteps.toFixed(3)} steps per channel, ${total.bitsPerActivation.toFixed(2)} bits per activation`;
  print(session, `${out} written in ${seconds.toFixed(1)} s`);
  print(session, `${total.bitsPerWeight.toFixed(3)} bits per weight, ${activations}`);
  print(session, `perplexity ${result.perplexity.toFixed(4)} on the calibration text (${windowsOf(result)})`);
  print(session, `repeat: ${repeat}`);
}

/** Quantises with a bar; an interrupted run says how to go on. */
async function calibrate(
  session: Session,
  options: Omit<QuantizeOptions, 'signal' | 'onProgress' | 'onNotice'>,
): Promise<void> {
  using progress = showProgress(session);
  const { signal } = session;
  try {
    await quantize({
      ...options,
      signal,
      onNotice: (text) => note(session, text),
      onProgress: ({ phase, done, total, training }) =>
        progress.update(phase, done, total, training && describeTraining(training)),
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted('Interrupted; run the same command with --resume to go on from here.');
  }
}

/** Where training stands, and what it has won so far. */
function describeTraining({ layer, layers, epochs, losses }: TrainingProgress): string {
  const at = `| layer ${layer + 1} of ${layers}, epoch ${Math.min(losses.length + 1, epochs)} of ${epochs}`;
  if (losses.length === 0) return at;
  const [first, last] = [losses[0], losses.at(-1)!].map((loss) => loss.toPrecision(3));
  return `${at}, loss ${first} -> ${last}`;
}
