import {
  DEFAULT_SETTINGS,
  PIPELINES,
  quantize,
  SALIENCY_METRICS,
  sampleWindows,
  type QuantizeOptions,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { openModelFolder } from '@spikellm/checkpoint';
import { cutWindows, describeModel } from '@spikellm/evaluation';
import { KEY_QUANTISERS } from '@spikellm/graph';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { BUNDLED_CALIBRATION_TEXT } from '../bundled.ts';
import { shellQuote, windowsOf } from '../format.ts';
import { measure, secondsSince } from '../measure.ts';
import { MODEL_ARGUMENT, openModel } from '../model.ts';
import {
  numbers,
  oneOf,
  option,
  seeds,
  wholeAbove,
  wholeBetween,
  withBackend,
  withVerbose,
} from '../options.ts';
import { showProgress } from '../progress.ts';
import { Interrupted, note, print, printJson, type Session } from '../session.ts';
import { readText } from '../text.ts';

interface QuantizeCommandOptions extends BackendOptions {
  readonly out: string;
  readonly pipeline: QuantizeSettings['pipeline'];
  readonly wbits: number;
  readonly abits: number;
  readonly steps: number;
  readonly salient: number;
  readonly saliency: QuantizeSettings['saliency'];
  readonly range: QuantizeSettings['range'];
  readonly kv: QuantizeSettings['key'];
  readonly mask: QuantizeSettings['mask'];
  readonly text?: string;
  readonly samples: number;
  readonly seqlen: number;
  readonly seed: number;
  readonly resume?: boolean;
  readonly evalWindows: number;
  readonly json?: boolean;
}

export function addQuantize(program: Command, session: Session): void {
  const defaults = DEFAULT_SETTINGS;
  const activationBits = numbers(
    'a whole number from 2 to 8, or 16 for float',
    (value) => wholeBetween(2, 8).parse(String(value)) !== undefined || value === 16,
  );
  const command = program
    .command('quantize')
    .description('Turn a float model into a spiking one, without training its weights.')
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('--out <dir>', 'folder to write; must not exist')
    .addOption(
      option('--pipeline <name>', 'method', oneOf(PIPELINES, ['omniquant', 'gptq'])).default(
        defaults.pipeline,
      ),
    )
    .addOption(option('--wbits <n>', 'bits of a weight', wholeBetween(2, 8)).default(defaults.weightBits))
    .addOption(
      option('--abits <n>', 'bits of a spike; 16 is float', activationBits).default(defaults.activationBits),
    )
    .addOption(
      option(
        '--steps <n>',
        'spike steps of a salient channel',
        numbers('1, 2 or 4', (value) => [1, 2, 4].includes(value)),
      ).default(defaults.steps),
    )
    .addOption(
      option(
        '--salient <p>',
        'share of salient channels',
        numbers('a number from 0 to 1', (value) => value >= 0 && value <= 1),
      ).default(defaults.salient),
    )
    .addOption(
      option('--saliency <metric>', 'what ranks channels', oneOf(SALIENCY_METRICS, ['fisher'])).default(
        defaults.saliency,
      ),
    )
    .addOption(
      option('--range <range>', 'codes of a salient channel', oneOf(['lossless', 'published'])).default(
        defaults.range,
      ),
    )
    .addOption(option('--kv <quantiser>', 'of cached keys', oneOf(KEY_QUANTISERS)).default(defaults.key))
    .addOption(
      option('--mask <mask>', 'salient channels per input or per linear', oneOf(['shared', 'own'])).default(
        defaults.mask,
      ),
    )
    .option('--text <file>', 'UTF-8 text to calibrate on (default: the bundled one)')
    .addOption(option('--samples <n>', 'calibration windows', wholeAbove(0)).default(32))
    .addOption(option('--seqlen <n>', 'tokens in a window', wholeAbove(1)).default(256))
    .addOption(option('--seed <n>', 'draws the windows', seeds).default(defaults.seed))
    .option('--resume', 'continue an interrupted run of the same command')
    .addOption(
      option('--eval-windows <n>', 'windows of the text to evaluate at the end', wholeAbove(0)).default(16),
    )
    .option('--json', 'print one JSON document');
  withVerbose(
    withBackend(command),
    'quantize ./tales --out ./tales-spiking --wbits 4 --abits 4 --steps 2 --salient 0.1',
  ).action((model: string, options: QuantizeCommandOptions) => run(session, model, options));
}

const settingsOf = (options: QuantizeCommandOptions): QuantizeSettings => ({
  pipeline: options.pipeline,
  weightBits: options.wbits,
  activationBits: options.abits,
  steps: options.steps,
  salient: options.salient,
  saliency: options.saliency,
  range: options.range,
  key: options.kv,
  mask: options.mask,
  seed: options.seed,
});

async function run(session: Session, name: string, options: QuantizeCommandOptions): Promise<void> {
  const { out, seqlen, samples, seed, text = BUNDLED_CALIBRATION_TEXT } = options;
  const content = await readText(text);
  await using model = await openModel(session, name);
  const ids = (await model.tokenizer()).encode(content);
  const windows = sampleWindows(ids, { samples, length: seqlen, seed });
  const evaluated = { window: seqlen, maxWindows: options.evalWindows };
  cutWindows(ids, evaluated); // a short text is known before the work begins
  if (options.text === undefined) note(session, `calibrating on the bundled text, ${text}`);
  using backend = await openBackend(session, options);
  const began = performance.now();
  const settings = settingsOf(options);
  await calibrate(session, { model, out, backend, settings, windows, resume: options.resume ?? false });
  const seconds = secondsSince(began);

  await using written = await openModelFolder(out);
  const { total, bytes } = await describeModel(written.config, written.tensors);
  const { seconds: evalSeconds, ...result } = await measure(session, written, backend, ids, evaluated);
  const repeat = `spikellm eval ${shellQuote(out)} --text ${shellQuote(text)} --window ${seqlen} --max-windows ${options.evalWindows}`;
  if (options.json === true) {
    printJson(session, {
      model: name,
      out,
      settings,
      text,
      samples,
      seqlen,
      ...result,
      bitsPerWeight: total.bitsPerWeight,
      averageSteps: total.averageSteps,
      bitsPerActivation: total.transmittedBits,
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
      : `${total.averageSteps.toFixed(3)} steps per channel, ${total.transmittedBits.toFixed(2)} bits per activation`;
  print(session, `${out} written in ${seconds.toFixed(1)} s`);
  print(session, `${total.bitsPerWeight.toFixed(3)} bits per weight, ${activations}`);
  print(session, `perplexity ${result.perplexity.toFixed(4)} on the calibration text (${windowsOf(result)})`);
  print(session, `repeat: ${repeat}`);
}

/** Quantises with a bar; an interrupted run says how to go on. */
async function calibrate(
  session: Session,
  options: Omit<QuantizeOptions, 'signal' | 'onProgress'>,
): Promise<void> {
  using progress = showProgress(session);
  const { signal } = session;
  try {
    await quantize({
      ...options,
      signal,
      onProgress: ({ phase, done, total }) => progress.update(phase, done, total),
    });
  } catch (error) {
    if (!signal.aborted) throw error;
    throw new Interrupted('Interrupted; run the same command with --resume to go on from here.');
  }
}
