import { SpikeError } from '@spikellm/backend';
import {
  checkSettings,
  DEFAULT_SETTINGS,
  PIPELINES,
  quantize as quantizeFolder,
  sampleWindows,
  type QuantizeProgress as CalibrationProgress,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { openModelFolder, type FileStore } from '@spikellm/checkpoint';
import { cutWindows, describeModel, perplexity, type Perplexity } from '@spikellm/evaluation';
import { loadDecoder } from '@spikellm/graph';
import { host } from '#host';
import { chooseBackend, type BackendChoice } from './backends.ts';
import type { NamedText } from './host.ts';
import type { OpenProgress } from './model.ts';
import { checkOptions, checkText, type Names } from './options.ts';
import { nameOf, openSource, type ModelSource } from './source.ts';

/** How far `quantize` is: files that are fetched, phases of the calibration, then the result that is loaded and measured. */
export type QuantizeProgress =
  | OpenProgress
  | CalibrationProgress
  | { readonly phase: 'evaluate'; readonly done: number; readonly total: number };

export interface QuantizeOptions {
  /** Text to calibrate on and to measure with. Default in Node: the tales of `@spikellm/demo-model`; a page must give one. */
  readonly text?: string | NamedText | undefined;
  /** Calibration windows. Default: 32. */
  readonly samples?: number | undefined;
  /** Tokens in a window. Default: 256. */
  readonly seqlen?: number | undefined;
  /** Windows of the text to measure perplexity on at the end. Default: 16. */
  readonly evalWindows?: number | undefined;
  /** Bytes of activations between layers that stay in memory. Default: 2 GiB. */
  readonly memory?: number | undefined;
  /** Continue an unfinished run with the same source, text and settings. */
  readonly resume?: boolean | undefined;
  /** As of `openModel`. */
  readonly backend?: BackendChoice | undefined;
  /** Where `out`, and a source that is a path, lie. Default: the disk; a page must give a store. */
  readonly files?: FileStore | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: QuantizeProgress) => void) | undefined;
  /** Told what a user should know and nothing stops for. */
  readonly onNotice?: ((text: string) => void) | undefined;
  /** Told when `out` is complete, before it is measured. */
  readonly onWritten?: ((written: Written) => void) | undefined;
}

/** A model that is written. */
export interface Written {
  readonly out: string;
  /** From the float model to the folder. */
  readonly seconds: number;
  /** The command that measures it as `quantize` does; null for a text without a file. */
  readonly repeat: string | null;
}

/** What was made, and its perplexity on the calibration text. `spikellm quantize --json` prints it. */
export interface QuantizeReport extends Perplexity, Written {
  /** The source. */
  readonly model: string;
  readonly settings: QuantizeSettings;
  /** Name of the text; null for one that was given without a name. */
  readonly text: string | null;
  readonly samples: number;
  readonly seqlen: number;
  /** True bits: all that the linears store, over their weights. */
  readonly bitsPerWeight: number;
  /** Mean spike steps of an input channel; null where activations are float. */
  readonly averageSteps: number | null;
  /** Bits of the spikes sent, a channel. */
  readonly bitsPerActivation: number;
  /** Bits of the codes that they carry, a channel. */
  readonly informationBitsPerActivation: number;
  /** Of all tensors. */
  readonly bytes: number;
  /** Name of the backend. */
  readonly backend: string;
  /** Of the measurement alone. */
  readonly evalSeconds: number;
}

const OPTIONS: Names<QuantizeOptions> = {
  text: true,
  samples: true,
  seqlen: true,
  evalWindows: true,
  memory: true,
  resume: true,
  backend: true,
  files: true,
  signal: true,
  onProgress: true,
  onNotice: true,
  onWritten: true,
};

/**
 * Turns a float model into a spiking one in a new folder, without training its weights, and measures it. A run that is
 * aborted or killed leaves `<out>.partial`, which `resume` continues to the same bytes.
 *
 * @param source - as of `openModel`
 * @param out - the folder to make; it must not exist
 * @param settings - what differs from the defaults: 4-bit weights and spikes, two steps for one channel in ten
 * Errors: INVALID_ARGUMENT (an option, a setting, a text that is too short), EXISTS, MISMATCH (`resume`), UNSUPPORTED, and those
 * of reading the model; rejects with the signal's reason when aborted.
 *
 * @example
 * const report = await quantize('models/tales', 'models/tales-spiking', { steps: 4, salientFraction: 0.05 });
 * console.log(report.perplexity, report.bitsPerWeight);
 */
export async function quantize(
  source: ModelSource,
  out: string,
  settings: Partial<QuantizeSettings> = {},
  options: QuantizeOptions = {},
): Promise<QuantizeReport> {
  checkOptions('quantize', options, OPTIONS);
  const whole = completeSettings(settings);
  checkText('out', out);
  const { samples = 32, seqlen = 256, evalWindows = 16, files, signal, onProgress, onWritten } = options;
  const text = await textOf(options.text);
  await using model = await openSource(source, options);
  const ids = (await model.tokenizer()).encode(text.text);
  const windows = sampleWindows(ids, { samples, length: seqlen, seed: whole.seed });
  const evaluated = { window: seqlen, maxWindows: evalWindows };
  cutWindows(ids, evaluated); // a short text is known before the work begins
  if (options.text === undefined) options.onNotice?.(`calibrating on the bundled text, ${text.name}`);

  const { backend, release } = await chooseBackend(options.backend);
  try {
    const began = performance.now();
    await quantizeFolder({
      model,
      out,
      backend,
      settings: whole,
      windows,
      resume: options.resume ?? false,
      ...(options.memory !== undefined && { memory: options.memory }),
      ...(files && { files }),
      ...(signal && { signal }),
      ...(onProgress && { onProgress }),
      ...(options.onNotice && { onNotice: options.onNotice }),
    });
    const written: Written = {
      out,
      seconds: secondsSince(began),
      repeat: text.name === null ? null : repeatCommand(out, text.name, seqlen, evalWindows),
    };
    onWritten?.(written);

    await using folder = await openModelFolder(out, files ? { files } : {});
    const { total, bytes } = await describeModel(folder.config, folder.tensors, { signal });
    using decoder = await loadDecoder({
      config: folder.config,
      tensors: folder.tensors,
      backend,
      ...(signal && { signal }),
      onProgress: (done, count) => onProgress?.({ phase: 'load', done, total: count }),
    });
    const measuring = performance.now();
    const measured = await perplexity(decoder, ids, {
      ...evaluated,
      signal,
      onProgress: (done, count) => onProgress?.({ phase: 'evaluate', done, total: count }),
    });
    return {
      model: nameOf(source),
      settings: whole,
      text: text.name,
      samples,
      seqlen,
      ...measured,
      bitsPerWeight: total.bitsPerWeight,
      averageSteps: total.averageSteps,
      bitsPerActivation: total.transmittedBits,
      informationBitsPerActivation: total.informationBits,
      bytes: bytes.total,
      backend: backend.name,
      evalSeconds: secondsSince(measuring),
      ...written,
    };
  } finally {
    release();
  }
}

/** Every setting by its name. */
const SETTINGS = Object.fromEntries(
  [...Object.keys(DEFAULT_SETTINGS), 'options'].map((name) => [name, true]),
) as Names<QuantizeSettings>;

/** Settings with the defaults for what is not said. Errors: INVALID_ARGUMENT. */
function completeSettings(settings: Partial<QuantizeSettings>): QuantizeSettings {
  const misplaced = Object.keys(settings ?? {}).flatMap((name) =>
    PIPELINES.filter(({ fields }) => name in (fields as object)).map((pipeline) => ({ name, pipeline })),
  );
  if (misplaced.length > 0) {
    const [{ name, pipeline }] = misplaced;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'settings',
      expected: `${name}, a setting of the ${pipeline.name} pipeline, in options`,
      received: `${name} beside them`,
      remedy: `write { pipeline: '${pipeline.name}', options: { ${name} } }`,
    });
  }
  checkOptions('settings', settings, SETTINGS);
  const whole = { ...DEFAULT_SETTINGS, ...settings };
  checkSettings(whole);
  return whole;
}

async function textOf(
  text: QuantizeOptions['text'],
): Promise<{ readonly name: string | null; readonly text: string }> {
  if (text === undefined) return host.calibrationText();
  if (typeof text === 'string') return { name: null, text };
  checkText('text', text?.text);
  return text;
}

const repeatCommand = (out: string, text: string, window: number, windows: number): string =>
  `spikellm eval ${shellQuote(out)} --text ${shellQuote(text)} --window ${window} --max-windows ${windows}`;

/** An argument as a POSIX shell takes it. */
const shellQuote = (argument: string): string =>
  /^[\w./:@=+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;

/** To the millisecond. */
const secondsSince = (began: number): number => Math.round(performance.now() - began) / 1000;
