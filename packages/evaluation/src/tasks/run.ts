import type { Decoder } from '@spikellm/graph';
import { encodeItem, type EncodedItem, type TaskTokenizer } from './encode.ts';
import { summarise, type TaskResult } from './metrics.ts';
import { createScorer } from './score.ts';
import type { Item, ItemScores, Task } from './task.ts';

/** A task as token ids of one model: bad input is known before the model is loaded. */
export interface PreparedTask {
  readonly task: Task;
  readonly items: readonly Item[];
  readonly encoded: readonly EncodedItem[];
}

export interface PrepareTaskOptions {
  readonly tokenizer: TaskTokenizer;
  /** Positions of the model, `Decoder.config.contextLength`. */
  readonly contextLength: number;
}

/** Encodes the items of a task. Errors: as `encodeItem`. */
export function prepareTask(
  task: Task,
  items: readonly Item[],
  { tokenizer, contextLength }: PrepareTaskOptions,
): PreparedTask {
  const encoded = items.map((item, index) =>
    encodeItem(item, tokenizer, { contextLength, where: `${task.name}, row ${index}` }),
  );
  return { task, items, encoded };
}

export interface RunTaskOptions {
  /** Scores of an earlier run of the same model and rows, which are not computed again. */
  readonly finished?: readonly ItemScores[] | undefined;
  /** Called with each item that was computed, to be kept for `finished`; the run waits for what it returns. */
  readonly onItem?: ((item: ItemScores) => void | Promise<void>) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each item. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/**
 * Scores the items of a task as lm-evaluation-harness does, item by item: see docs/operations.md.
 * Errors: NOT_FINITE; rejects with the signal's reason when aborted.
 *
 * @example
 * const items = readItems(findTask('piqa'), text, { where: 'piqa.validation.jsonl', limit: 100 });
 * const { acc, stderr } = await runTask(decoder, prepareTask(findTask('piqa'), items, { tokenizer, contextLength }));
 */
export async function runTask(
  decoder: Decoder,
  { task, items, encoded }: PreparedTask,
  { finished = [], onItem, signal, onProgress }: RunTaskOptions = {},
): Promise<TaskResult> {
  const known = new Map(finished.map((item) => [item.index, item]));
  const longest = Math.max(
    ...encoded.flatMap(({ sequences }) => sequences.map(({ tokens }) => tokens.length)),
  );
  using scorer = createScorer(decoder, longest - 1);
  const scores: ItemScores[] = [];
  for (const [index, { sequences }] of encoded.entries()) {
    signal?.throwIfAborted();
    const kept = known.get(index);
    if (kept !== undefined) {
      scores.push(kept);
      continue;
    }
    const scored = await scorer.score(sequences, signal);
    const item = {
      index,
      logLikelihoods: scored.map(({ logLikelihood }) => logLikelihood),
      greedy: scored.map(({ greedy }) => greedy),
    };
    await onItem?.(item);
    scores.push(item);
    onProgress?.(scores.length, items.length);
  }
  const truncated = encoded.filter((item) => item.truncated).length;
  const { items: all, ...summary } = summarise(task, items, scores);
  return { ...summary, truncated, items: all };
}
