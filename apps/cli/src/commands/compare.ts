import { readFileSync } from 'node:fs';
import { SpikeError } from '@spikellm/backend';
import { sampleWindows } from '@spikellm/calibration';
import type { ModelFolder } from '@spikellm/checkpoint';
import { cutWindows } from '@spikellm/evaluation';
import { parseSpikingConfig } from '@spikellm/graph';
import { Option, type Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { BUNDLED_CALIBRATION_TEXT } from '../bundled.ts';
import { defaultCacheFolder, fingerprintModel, openCache } from '../compare/cache.ts';
import { METHODS, parseMethods, QUICK_METHODS, type Method } from '../compare/methods.ts';
import { isDone, jsonRow, type Row } from '../compare/row.ts';
import { runMethods, type Comparison } from '../compare/run.ts';
import { saliencyMap } from '../compare/saliency-map.ts';
import { showComparison } from '../compare/table.ts';
import { MODEL_ARGUMENT, openModel } from '../model.ts';
import { option, wholeAbove, withBackend, withVerbose } from '../options.ts';
import { commonSettingsOf, olderWords, ownOptionsOf, withCommonSettings } from '../quantize-settings.ts';
import { checkReportPath, writeReport } from '../report/file.ts';
import { holdNotes, Interrupted, note, print, printJson, type HeldNotes, type Session } from '../session.ts';
import { readText } from '../text.ts';
import { windowOf, windowOption } from '../window.ts';

interface CompareOptions extends BackendOptions {
  readonly text: string;
  readonly methods?: readonly Method[];
  readonly calibration?: string;
  readonly samples: number;
  readonly window?: number;
  readonly maxWindows?: number;
  readonly html?: string;
  readonly cache: string;
  readonly fresh?: boolean;
  readonly json?: boolean;
}

export function addCompare(program: Command, session: Session): void {
  const names = METHODS.map(({ name, slow }) => (slow ? `${name}*` : name)).join(', ');
  const methods = new Option(
    '--methods <names>',
    `with commas, or all: ${names} (default: those without *, which take minutes)`,
  ).argParser(parseMethods);
  const command = program
    .command('compare')
    .description('Measure many methods on one model and one text, in one table.')
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('--text <file>', 'UTF-8 text to predict')
    .addOption(methods)
    .option('--calibration <file>', 'UTF-8 text to calibrate on (default: the bundled one)')
    .addOption(option('--samples <n>', 'calibration windows', wholeAbove(0)).default(32))
    .addOption(windowOption())
    .addOption(option('--max-windows <n>', 'windows to predict at most, all without it', wholeAbove(0)));
  withCommonSettings(command)
    .option('--html <file>', 'write a report with plots, one file that needs no network')
    .option('--cache <dir>', 'where finished methods are kept', defaultCacheFolder())
    .option('--fresh', 'measure again what is kept there')
    .option('--json', 'print one JSON document');
  withVerbose(
    withBackend(command),
    'compare ./tales --text story.txt --methods float,rtn,rtn-t2,fisher --html report.html',
  ).action((model: string, options: CompareOptions) => compare(session, model, command, options));
}

async function compare(
  session: Session,
  name: string,
  command: Command,
  options: CompareOptions,
): Promise<void> {
  const { html, methods = QUICK_METHODS } = options;
  if (html !== undefined) await checkReportPath(html);
  const cache = await openCache(options.cache, { fresh: options.fresh ?? false });
  await using model = await openModel(session, name);
  requireFloat(name, model);
  const settings = commonSettingsOf(command);
  for (const line of olderWords(command)) note(session, line);
  const notes = holdNotes(session);
  const texts = await prepareTexts(notes, model, settings.seed, options);
  using backend = await openBackend(session, options, notes.say);
  const comparison: Comparison = {
    model,
    backend,
    ...texts,
    settings,
    ownOptions: (pipeline) => ownOptionsOf(command, pipeline),
    fingerprint: await fingerprintModel(session, model),
    version: JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version,
  };
  notes.release();
  const rows: Row[] = [];
  try {
    await runMethods(session, comparison, methods, cache, (row) => rows.push(row));
  } catch (error) {
    if (!session.signal.aborted) throw error;
    if (options.json !== true && rows.length > 0) showComparison(session, rows);
    const done = `${rows.filter(isDone).length} of ${methods.length} rows are kept`;
    throw new Interrupted(`Interrupted; ${done}, run the same command again to go on from there.`);
  }
  const summary = { model: name, text: options.text, backend: backend.name, device: backend.report.device };
  if (options.json === true)
    printJson(session, { ...summary, settings: comparison.settings, rows: rows.map(jsonRow) });
  else showComparison(session, rows);
  if (html !== undefined) {
    const saliency = await saliencyMap(session, comparison, cache);
    await writeReport(html, { ...summary, comparison, rows, saliency });
    (options.json === true ? note : print)(session, `report: ${html}`);
  }
  refuseFailure(rows);
}

function requireFloat(name: string, { config }: ModelFolder): void {
  if (parseSpikingConfig(config) === undefined) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: name,
    expected: 'a float model, which every method quantises by itself',
    received: 'one that is quantised already',
  });
}

/** The windows to calibrate on and the ids to predict: a short text is known before the work begins. */
async function prepareTexts(notes: HeldNotes, model: ModelFolder, seed: number, options: CompareOptions) {
  const { maxWindows, samples, calibration = BUNDLED_CALIBRATION_TEXT } = options;
  const window = windowOf(model, options.window, notes.say);
  const tokenizer = await model.tokenizer();
  const evaluation = tokenizer.encode(await readText(options.text));
  const windows = { window, maxWindows };
  cutWindows(evaluation, windows);
  if (options.calibration === undefined) notes.say(`calibrating on the bundled text, ${calibration}`);
  const ids = tokenizer.encode(await readText(calibration, '--calibration'));
  return { evaluation, windows, calibration: sampleWindows(ids, { samples, length: window, seed }) };
}

/** A row with an error is a result; a table of nothing else is none. */
function refuseFailure(rows: readonly Row[]): void {
  if (rows.some(isDone)) return;
  throw new SpikeError('UNSUPPORTED', {
    where: 'compare',
    expected: 'a method that can be measured',
    received: 'an error from every one',
  });
}
