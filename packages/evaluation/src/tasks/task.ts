/** What a zero-shot task is. */
import { SpikeError, validate, type Schema } from '@spikellm/backend';
import * as v from 'valibot';
import { codePoints } from './text.ts';

/** One thing that is asked of a model: how likely a text goes on so. */
export interface Request {
  readonly context: string;
  /** With the blank before it. */
  readonly continuation: string;
  /** Code points of the choice, without that blank: what `acc_norm` divides by. */
  readonly length: number;
}

/** A row of a task's file as the model sees it. */
export interface Item {
  /** One for each choice. */
  readonly requests: readonly Request[];
  /** Index of the right choice. */
  readonly gold: number;
}

/** What a model makes of an item. */
export interface ItemScores {
  /** The row of the file, from 0. */
  readonly index: number;
  /** Natural logarithm of the likelihood of each continuation, given its context. */
  readonly logLikelihoods: readonly number[];
  /** Of each continuation, whether every token of it is the likeliest one. */
  readonly greedy: readonly boolean[];
}

/** Whether an item counts as answered. */
export type Judge = (scores: ItemScores, item: Item) => boolean;

/** The metrics of a task, under the names of lm-evaluation-harness. */
export interface TaskMetrics {
  readonly acc: Judge;
  /** Null where the harness has none. */
  readonly acc_norm: Judge | null;
  /** Whether exp of the mean negative log-likelihood of the first choice is one of them. */
  readonly perplexity: boolean;
}

/** A task as a value. */
export interface Task {
  readonly name: string;
  /** Names that its file may have, one JSON object a line: the first that is there is taken. */
  readonly files: readonly string[];
  /** Where its rows come from, and what their fields are. */
  readonly source: string;
  readonly metrics: TaskMetrics;
  /**
   * What a row asks. Errors: INVALID_ARGUMENT for a field that is missing or wrong.
   *
   * @param where - how an error names the row
   */
  item(row: unknown, where: string): Item;
}

/** Makes a task of the fields of its rows and of what they ask. */
export function defineTask<Entries extends v.ObjectEntries>({
  row: entries,
  ask,
  ...task
}: Omit<Task, 'item'> & {
  readonly row: Entries;
  readonly ask: (row: v.InferOutput<v.ObjectSchema<Entries, undefined>>) => Item;
}): Task {
  type Row = v.InferOutput<v.ObjectSchema<Entries, undefined>>;
  const schema = v.object(entries, 'to be there') as unknown as Schema<Row>;
  return {
    ...task,
    item(row, where) {
      const item = ask(
        validate(schema, row, ({ field, expected, received }) => ({
          where,
          expected: field === '' ? 'an object' : `${field} ${expected}`,
          received,
          remedy: `${task.name} takes ${task.source}`,
        })),
      );
      if (item.gold < item.requests.length) return item;
      throw new SpikeError('INVALID_ARGUMENT', {
        where,
        expected: `the right one of ${item.requests.length} choices, from 0`,
        received: String(item.gold),
      });
    },
  };
}

/** A choice that follows a context after a blank. */
export const follow = (context: string, choice: string): Request => ({
  context,
  continuation: ` ${choice}`,
  length: codePoints(choice),
});

export const text = v.string('to be a text');
export const texts = v.pipe(v.array(text, 'to be a list of texts'), v.nonEmpty('to have a text'));
const INDEX = 'to be a whole number of 0 or more';
export const index = v.pipe(v.number(INDEX), v.safeInteger(INDEX), v.minValue(0, INDEX));
