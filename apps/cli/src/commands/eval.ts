import { SpikeError } from '@spikellm/backend';
import { PROTOCOLS } from '@spikellm/evaluation';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { cacheOf, windowsOf } from '../format.ts';
import { countText, measureDecoder } from '../measure.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { showOperations } from '../operations-report.ts';
import { oneOf, option, wholeAbove, wholes, withBackend, withVerbose } from '../options.ts';
import { holdNotes, print, printJson, type Session } from '../session.ts';
import { openTasks, runTasks, showTasks, withTasks, type TaskOptions } from '../tasks.ts';
import { checkFinite, openText, type TextOptions } from '../text-windows.ts';
import { windowOption } from '../window.ts';

interface EvalOptions extends BackendOptions, TaskOptions, TextOptions {
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
  const text = options.text === undefined ? undefined : await openText(options.text, options);
  await using model = await openModel(session, name);
  const notes = holdNotes(session);
  const cut = await text?.(model, notes.say);
  const opened = await openTasks(session, model, options);
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();
  const result = cut && (await measureDecoder(session, decoder, cut.ids, cut.windows));
  if (result !== undefined) checkFinite(result);
  const operations =
    cut && options.operations ? await countText(session, model, decoder, cut.ids, cut.windows) : undefined;
  const tasks =
    opened.length === 0 ? undefined : await runTasks(session, { model, decoder, backend }, opened, options);
  if (options.json === true) {
    printJson(session, {
      model: name,
      text: options.text,
      read: cut?.read,
      backend: backend.name,
      ...result,
      operations,
      tasks,
    });
    return;
  }
  if (cut !== undefined && result !== undefined) {
    print(session, `perplexity  ${result.perplexity.toFixed(4)}`);
    print(session, `nll         ${result.nll.toFixed(4)} nats per token`);
    print(session, `text        ${windowsOf(result)}`);
    for (const line of cut.lines) print(session, line);
    print(session, `protocol    ${result.protocol}`);
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
