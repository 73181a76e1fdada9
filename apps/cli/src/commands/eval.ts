import { SpikeError } from '@spikellm/backend';
import { cutWindows, PROTOCOLS } from '@spikellm/evaluation';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { checkFinite, readByProtocol, showPerplexity, tokeniseRead } from '../eval-text.ts';
import { cacheOf } from '../format.ts';
import { countText, measureDecoder } from '../measure.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { showOperations } from '../operations-report.ts';
import { oneOf, option, wholeAbove, wholes, withBackend, withVerbose } from '../options.ts';
import { holdNotes, print, printJson, type Session } from '../session.ts';
import { openTasks, runTasks, showTasks, withTasks, type TaskOptions } from '../tasks.ts';
import { windowOf, windowOption } from '../window.ts';

interface EvalOptions extends BackendOptions, TaskOptions {
  readonly text?: string;
  readonly protocol: string;
  readonly window?: number;
  readonly maxWindows?: number;
  readonly skipWindows: number;
  readonly operations?: boolean;
  readonly json?: boolean;
}

export function addEval(program: Command, session: Session): void {
  const command = program
    .command('eval')
    .description('Measure a model, float or spiking: its perplexity on a text, and zero-shot tasks.')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--text <file>', 'UTF-8 text to predict')
    .addOption(
      option('--protocol <name>', 'how the file is read and joined', oneOf(Object.keys(PROTOCOLS))).default(
        'text',
      ),
    )
    .addOption(windowOption())
    .addOption(option('--max-windows <n>', 'windows at most, all without it', wholeAbove(0)))
    .addOption(option('--skip-windows <n>', 'windows to leave out at the beginning', wholes).default(0))
    .option('--operations', 'count what a token costs: operations, spikes, bytes, and an estimate of energy')
    .option('--json', 'print one JSON document');
  withVerbose(
    withBackend(withTasks(command)),
    'eval ./tales --text story.txt --window 256',
    'eval ./tales --tasks piqa,arc_easy --task-data ./tasks --limit 100',
  ).action((model: string, options: EvalOptions) => evaluate(session, model, options));
}

async function evaluate(session: Session, name: string, options: EvalOptions): Promise<void> {
  checkWork(options);
  const text = options.text === undefined ? undefined : await readByProtocol(options.text, options.protocol);
  await using model = await openModel(session, name);
  const notes = holdNotes(session);
  const { skipWindows, maxWindows = text?.protocol.maxWindows } = options;
  const window = text === undefined ? 0 : windowOf(model, options.window, notes.say);
  const read = text && (await tokeniseRead(model, text));
  const windows = { window, maxWindows, skipWindows, head: read?.head };
  const ids = read?.ids;
  if (ids !== undefined) cutWindows(ids, windows); // a short text is known before the model is loaded
  const opened = await openTasks(session, model, options);
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();
  const result = ids && (await measureDecoder(session, decoder, ids, windows));
  if (result !== undefined) checkFinite(result);
  const operations =
    ids && options.operations ? await countText(session, model, decoder, ids, windows) : undefined;
  const tasks =
    opened.length === 0 ? undefined : await runTasks(session, { model, decoder, backend }, opened, options);
  if (options.json === true) {
    printJson(session, {
      model: name,
      text: options.text,
      read: read?.report,
      backend: backend.name,
      ...result,
      operations,
      tasks,
    });
    return;
  }
  if (result !== undefined && read !== undefined) {
    showPerplexity(session, result, read);
    print(session, `time        ${result.seconds.toFixed(1)} s on the ${backend.name} backend`);
  }
  print(session, `KV cache    ${cacheOf(decoder.spiking)}`);
  if (operations !== undefined) showOperations(session, operations);
  if (tasks !== undefined) showTasks(session, tasks);
}

/** Errors: INVALID_ARGUMENT where nothing is to be measured, or spikes without a text. */
function checkWork({ text, tasks, operations }: EvalOptions): void {
  if (text !== undefined || (tasks !== undefined && !operations)) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: operations ? '--operations' : 'eval',
    expected: operations ? '--text, whose spikes are counted' : '--text, --tasks or both',
    received: operations ? 'none' : 'neither',
  });
}
