/** How the items of a task become its numbers, as lm-evaluation-harness counts. */
import { sum } from '../sum.ts';
import type { Item, ItemScores, Judge, Task, TaskMetrics } from './task.ts';

/** What a model reaches in a task; the names are those of lm-evaluation-harness. */
export interface TaskResult {
  /** Fraction of the items whose likeliest choice is the right one; of lambada, whose word is drawn greedily. */
  readonly acc: number;
  /** The same by log-likelihood over code points of the choice; null where the harness has none. */
  readonly acc_norm: number | null;
  /** Standard error of `acc`: sample standard deviation over sqrt(count); null for one item. */
  readonly stderr: number | null;
  readonly acc_norm_stderr: number | null;
  /** exp of the mean negative log-likelihood of the right continuation; only where the task has it. */
  readonly perplexity?: number;
  /** Items that were scored. */
  readonly count: number;
  /** Items that were longer than the model's context, and lost the beginning of theirs. */
  readonly truncated: number;
  readonly items: readonly ItemScores[];
}

/** Index of the first of the largest. */
const firstLargest = (values: readonly number[]): number => values.indexOf(Math.max(...values));

const likeliest: Judge = ({ logLikelihoods }, { gold }) => firstLargest(logLikelihoods) === gold;
const likeliestByCharacter: Judge = ({ logLikelihoods }, { gold, requests }) =>
  firstLargest(logLikelihoods.map((value, choice) => value / requests[choice].length)) === gold;
const greedy: Judge = (scores) => scores.greedy[0];

/** Choices of about the same length, or one word. */
export const BY_LIKELIHOOD: TaskMetrics = { acc: likeliest, acc_norm: null, perplexity: false };
/** Choices of different lengths. */
export const BY_CHARACTER: TaskMetrics = { ...BY_LIKELIHOOD, acc_norm: likeliestByCharacter };
/** One continuation that is to be found. */
export const BY_GREEDY: TaskMetrics = { acc: greedy, acc_norm: null, perplexity: true };

/** @param scores - of `items`, in their order */
export function summarise(
  { metrics }: Pick<Task, 'metrics'>,
  items: readonly Item[],
  scores: readonly ItemScores[],
): Omit<TaskResult, 'truncated'> {
  const rate = (judge: Judge): number =>
    sum(items.entries(), ([i, item]) => (judge(scores[i], item) ? 1 : 0)) / items.length;
  const acc = rate(metrics.acc);
  const acc_norm = metrics.acc_norm && rate(metrics.acc_norm);
  return {
    acc,
    acc_norm,
    stderr: standardError(acc, items.length),
    acc_norm_stderr: acc_norm === null ? null : standardError(acc_norm, items.length),
    ...(metrics.perplexity && {
      perplexity: Math.exp(-sum(scores, ({ logLikelihoods }) => logLikelihoods[0]) / items.length),
    }),
    count: items.length,
    items: scores,
  };
}

/** Of a mean of zeros and ones: their sample variance is mean (1 - mean) count / (count - 1). */
const standardError = (mean: number, count: number): number | null =>
  count < 2 ? null : Math.sqrt((mean * (1 - mean)) / (count - 1));
