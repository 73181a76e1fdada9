import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SpikeError, type Backend } from '@spikellm/backend';
import { decodeRate, spreadOf } from '@spikellm/benchmark';
import {
  GPTQ_FIELDS,
  PIPELINES,
  quantize,
  quantizeBaseline,
  type BaselineReport,
  type QuantizeProgress,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { openModelFolder, type ModelFolder } from '@spikellm/checkpoint';
import { describeModel, tokenSpikes, type WindowOptions } from '@spikellm/evaluation';
import { isCausal, type Decoder } from '@spikellm/graph';
import { countText, measureDecoder, secondsSince } from '../measure.ts';
import { openDecoder } from '../model.ts';
import { showProgress } from '../progress.ts';
import { note, type Session } from '../session.ts';
import { digest, type ResultCache } from './cache.ts';
import type { Method } from './methods.ts';
import type { Measurements, Raster, Recipe, Row } from './row.ts';

/** What all methods of a comparison share. */
export interface Comparison {
  readonly model: ModelFolder;
  /** See `fingerprintModel`. */
  readonly fingerprint: string;
  /** Of the command line; a method changes some of them. */
  readonly settings: QuantizeSettings;
  /** What the command line says of the settings of a pipeline. */
  readonly ownOptions: (pipeline: string) => Readonly<Record<string, unknown>>;
  readonly backend: Backend;
  /** Calibration windows of token ids. */
  readonly calibration: readonly (readonly number[])[];
  /** Token ids of the text that is predicted. */
  readonly evaluation: readonly number[];
  readonly windows: WindowOptions & { readonly maxWindows?: number | undefined };
  readonly version: string;
}

const DECODE_TOKENS = 32;
const DECODE_ROUNDS = 3;
/** The prompt of `decodeRate`, and the first token after it. */
const BEFORE_DECODING = 9;

/**
 * Runs the methods one after the other, each from the cache where it is there. A method that fails is a row with its
 * error. Stops at an abort; what was finished until then has been handed to `onRow` and is kept.
 */
export async function runMethods(
  session: Session,
  comparison: Comparison,
  methods: readonly Method[],
  cache: ResultCache,
  onRow: (row: Row) => void,
): Promise<void> {
  for (const [index, method] of methods.entries()) {
    session.signal.throwIfAborted();
    const { name, title } = method;
    const recipe = recipeOf(method, comparison);
    const inputs = rowInputs(comparison, recipe);
    const head = { method: name, title, ...recipe };
    const known = await cache.find<Measurements>(inputs);
    const label = `${index + 1} of ${methods.length}  ${name}`;
    if (known !== undefined) {
      announce(session, `${label}: kept from an earlier run`);
      onRow({ ...head, ...known, error: null, cached: true });
      continue;
    }
    const began = performance.now();
    const measured = await attempt(session, comparison, recipe);
    if (measured instanceof Error) {
      announce(session, `${label}: ${measured.message}`);
      onRow({ ...head, error: measured.message });
      continue;
    }
    await cache.keep(inputs, measured);
    const { perplexity } = measured.evaluation;
    announce(session, `${label}: perplexity ${perplexity.toFixed(2)} (${secondsSince(began).toFixed(1)} s)`);
    onRow({ ...head, ...measured, error: null, cached: false });
  }
}

/** A baseline is as it was published but for the damping. */
function recipeOf({ settings: changes, baseline }: Method, { settings, ownOptions }: Comparison): Recipe {
  const pipeline = changes?.pipeline ?? settings.pipeline;
  const options = { ...ownOptions(pipeline), ...changes?.options };
  return {
    settings: changes && { ...settings, ...changes, options },
    baseline: baseline === undefined ? null : { method: baseline, damping: dampingOf(ownOptions) },
  };
}

/** The damping of whichever pipeline has one. */
function dampingOf(ownOptions: Comparison['ownOptions']): number {
  const given = PIPELINES.map(({ name }) => ownOptions(name).damping).find(
    (damping) => damping !== undefined,
  );
  return (given as number | undefined) ?? GPTQ_FIELDS.damping.default;
}

/** A line for who watches. */
function announce(session: Session, line: string): void {
  if (session.stderr.isTTY === true) note(session, line);
}

/** The measurements of a method, or why there are none. Rejects with the signal's reason when aborted. */
async function attempt(
  session: Session,
  comparison: Comparison,
  recipe: Recipe,
): Promise<Measurements | Error> {
  try {
    return await runMethod(session, comparison, recipe);
  } catch (error) {
    session.signal.throwIfAborted();
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Everything that decides the measurements of a row. The float model does not depend on calibration. */
function rowInputs(
  { fingerprint, calibration, evaluation, windows, backend, version }: Comparison,
  recipe: Recipe,
) {
  const { name, report } = backend;
  return {
    version,
    model: fingerprint,
    ...recipe,
    calibration: isFloat(recipe) ? null : digest(JSON.stringify(calibration)),
    evaluation: digest(JSON.stringify(evaluation)),
    windows,
    backend: [name, report.device, report.threads],
  };
}

async function runMethod(session: Session, comparison: Comparison, recipe: Recipe): Promise<Measurements> {
  if (isFloat(recipe)) return measureModel(session, comparison, comparison.model, null);
  const folder = await mkdtemp(join(tmpdir(), 'spikellm-compare-'));
  try {
    const out = join(folder, 'model');
    const began = performance.now();
    const baseline = await quantizeInto(session, comparison, recipe, out);
    const seconds = secondsSince(began);
    await using written = await openModelFolder(out);
    return await measureModel(session, comparison, written, seconds, baseline);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const isFloat = ({ settings, baseline }: Recipe): boolean => settings === null && baseline === null;

/** What a baseline says of its weights, whose folder does not show it. */
async function quantizeInto(
  session: Session,
  { model, backend, calibration: windows }: Comparison,
  { settings, baseline }: Recipe,
  out: string,
): Promise<BaselineReport | undefined> {
  using progress = showProgress(session);
  const shared = { model, out, backend, windows, signal: session.signal };
  if (baseline !== null) {
    const onProgress = (done: number, total: number): void => progress.update('compensate', done, total);
    return await quantizeBaseline({ ...shared, ...baseline, onProgress });
  }
  const onProgress = ({ phase, done, total }: QuantizeProgress): void => progress.update(phase, done, total);
  await quantize({ ...shared, settings: settings!, onProgress });
  return undefined;
}

async function measureModel(
  session: Session,
  { backend, evaluation, windows }: Comparison,
  model: ModelFolder,
  calibrationSeconds: number | null,
  baseline?: BaselineReport,
): Promise<Measurements> {
  const { window } = windows;
  const described = await describeModel(model.config, model.tensors, { window, signal: session.signal });
  const { total, bytes, kv } = described;
  using decoder = await openDecoder(session, model, backend);
  return {
    evaluation: await measureDecoder(session, decoder, evaluation, windows),
    bitsPerWeight: baseline?.bitsPerWeight ?? total.bitsPerWeight,
    averageWeightSteps: baseline?.steps ?? total.averageWeightSteps,
    averageSteps: total.averageSteps,
    operations: await countText(session, model, decoder, evaluation, { ...windows, standsFor: baseline }),
    kv,
    bytes: baseline === undefined ? bytes.total : null,
    calibrationSeconds,
    tokensPerSecond: await decodingRate(decoder, session.signal),
    raster: total.averageSteps === null ? null : await rasterOf(session, model, decoder, evaluation, windows),
  };
}

/** The median of some rounds; null for a model that cannot decode token by token, or has no room for it. */
async function decodingRate(decoder: Decoder, signal: AbortSignal): Promise<number | null> {
  const tokens = Math.min(DECODE_TOKENS, decoder.config.contextLength - BEFORE_DECODING);
  if (!isCausal(decoder.spiking) || tokens < 1) return null;
  const rates: number[] = [];
  for (let round = 0; round < DECODE_ROUNDS; round++) rates.push(await decodeRate(decoder, tokens, signal));
  return spreadOf(rates).median;
}

const SHOWN_TOKENS = 12;

async function rasterOf(
  { signal }: Session,
  model: ModelFolder,
  decoder: Decoder,
  ids: readonly number[],
  { window }: WindowOptions,
): Promise<Raster> {
  const first = ids.slice(0, window);
  const inputs = await tokenSpikes(decoder, first, { tensors: model.tensors, signal });
  const middle = Math.floor(decoder.config.layers / 2);
  const input = inputs.find(({ layer, group }) => layer === middle && group === 'qkv');
  if (input === undefined) throw new SpikeError('MISSING', MISSING_INPUT);
  const text = (await model.tokenizer()).stream();
  const shown = first.slice(-SHOWN_TOKENS).map((id) => text.push(id));
  return {
    layer: input.layer,
    group: input.group,
    bits: decoder.spiking!.activations.bits,
    steps: [...input.steps],
    codes: input.codes,
    text: shown.join('') + text.end(),
  };
}

const MISSING_INPUT = { where: 'raster', expected: 'an input of q, k and v', received: 'none' };
