import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { SpikeError, type Backend } from '@spikellm/backend';
import type { ModelFolder } from '@spikellm/checkpoint';
import {
  findTask,
  prepareTask,
  readItems,
  runTask,
  TASKS,
  type PreparedTask,
  type Task,
  type TaskResult,
} from '@spikellm/evaluation';
import { parseModel, type Decoder } from '@spikellm/graph';
import { Option, type Command } from 'commander';
import { digest, fingerprintModel } from './compare/cache.ts';
import { table } from './format.ts';
import { defaultItemsFolder, openItems, type KeptItems } from './kept-items.ts';
import { secondsSince } from './measure.ts';
import { option, wholeAbove } from './options.ts';
import { showProgress } from './progress.ts';
import { Interrupted, note, print, type Session } from './session.ts';
import { readText } from './text.ts';

/** Part of every fingerprint: to be raised when what is kept changes its form or its meaning. */
const FORMAT = 1;

export interface TaskOptions {
  readonly tasks?: readonly Task[];
  readonly taskData?: string;
  readonly limit?: number;
  readonly cache: string;
}

/** A task's result, and the seconds it took without loading. */
export type MeasuredTask = TaskResult & { readonly seconds: number };

/** What a command takes to run zero-shot tasks. */
export function withTasks(command: Command): Command {
  const names = TASKS.map(({ name }) => name).join(', ');
  return command
    .addOption(
      new Option('--tasks <names>', `zero-shot tasks, with commas: ${names}`).argParser((text) =>
        [...new Set(text.split(','))].map((name) => findTask(name.trim(), '--tasks')),
      ),
    )
    .option('--task-data <dir>', 'folder with the files of the tasks, JSON objects, one a line')
    .addOption(option('--limit <n>', 'the first items of each task, all without it', wholeAbove(0)))
    .option('--cache <dir>', 'where finished items are kept while tasks run', defaultItemsFolder());
}

/** A task that is ready to run, and what decides its scores beside the model. */
export interface OpenTask extends PreparedTask {
  readonly rows: string;
}

/** Reads and encodes the tasks: bad input is known before the model is loaded. Errors: as `readItems` and `prepareTask`. */
export async function openTasks(
  session: Session,
  model: ModelFolder,
  { tasks = [], taskData, limit }: TaskOptions,
): Promise<OpenTask[]> {
  const { contextLength } = parseModel(model.config).config;
  const opened: OpenTask[] = [];
  for (const task of tasks) {
    const file = await findFile(task, taskData);
    const rows = await readText(file, '--task-data');
    const items = readItems(task, rows, { where: file, limit });
    const prepared = prepareTask(task, items, { tokenizer: await model.tokenizer(), contextLength });
    opened.push({ ...prepared, rows: digest(rows) });
    const cut = prepared.encoded.filter(({ truncated }) => truncated).length;
    if (cut === 0) continue;
    note(
      session,
      `${task.name}: ${cut} of ${items.length} items are longer than the model's context of ${contextLength} tokens and lose their beginning`,
    );
  }
  return opened;
}

async function findFile({ name, files, source }: Task, folder: string | undefined): Promise<string> {
  for (const file of folder === undefined ? [] : files) {
    const path = join(folder!, file);
    const found = await access(path).then(
      () => true,
      () => false,
    );
    if (found) return path;
  }
  throw new SpikeError('MISSING', {
    where: '--task-data',
    expected: `a folder with ${files.join(' or ')}`,
    received: folder ?? 'nothing',
    remedy: `${name} takes ${source}`,
  });
}

/** Runs tasks on a loaded decoder. What is finished is kept until all are, so that an interrupted run goes on. */
export async function runTasks(
  session: Session,
  { model, decoder, backend }: { model: ModelFolder; decoder: Decoder; backend: Backend },
  tasks: readonly OpenTask[],
  { cache }: TaskOptions,
): Promise<Record<string, MeasuredTask>> {
  const fingerprint = await fingerprintModel(session, model);
  const results: Record<string, MeasuredTask> = {};
  const files: KeptItems[] = [];
  using progress = showProgress(session);
  for (const { rows, ...prepared } of tasks) {
    const { name } = prepared.task;
    const key = digest(JSON.stringify([FORMAT, fingerprint, rows, backend.name]));
    const kept = await openItems(join(cache, `${name}-${key}.jsonl`));
    files.push(kept);
    if (kept.items.length > 0)
      note(session, `${name}: ${kept.items.length} items are kept from a run before`);
    const began = performance.now();
    const result = await runTask(decoder, prepared, {
      finished: kept.items,
      onItem: (item) => kept.keep(item),
      signal: session.signal,
      onProgress: (done, total) => progress.update(name, done, total),
    }).catch((error: unknown) => {
      throw session.signal.aborted ? new Interrupted(GO_ON) : error;
    });
    results[name] = { seconds: secondsSince(began), ...result };
  }
  for (const file of files) await file.forget();
  return results;
}

const GO_ON = 'Interrupted; finished items are kept, run the same command again to go on from there.';

/** One table of all tasks. */
export function showTasks(session: Session, results: Readonly<Record<string, MeasuredTask>>): void {
  const percent = (value: number | null, error: number | null): string => {
    if (value === null) return '-';
    return `${(100 * value).toFixed(2)} %${error === null ? '' : ` ± ${(100 * error).toFixed(2)}`}`;
  };
  print(
    session,
    table(
      ['task', 'acc', 'acc_norm', 'perplexity', 'items', 'seconds'],
      Object.entries(results).map(([name, result]) => [
        name,
        percent(result.acc, result.stderr),
        percent(result.acc_norm, result.acc_norm_stderr),
        result.perplexity?.toFixed(2) ?? '-',
        String(result.count),
        result.seconds.toFixed(1),
      ]),
    ),
  );
}
