import Table from 'cli-table3';
import type { Perplexity } from '@spikellm/evaluation';

/** A plain table: the first column to the left, numbers to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: [...head],
    colAligns: head.map((_, column) => (column === 0 ? 'left' : 'right')),
    style: { head: [], border: [], compact: true },
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}

/** Bytes with a unit of 1000. */
export function bytes(count: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, count)) / 3));
  return `${(count / 1000 ** power).toFixed(power === 0 ? 0 : 2)} ${units[power]}`;
}

export const windowsOf = ({ windows, window, tokens }: Perplexity): string =>
  `${windows} windows of ${window} tokens, ${tokens} predicted`;

/** An argument as a POSIX shell takes it. */
export const shellQuote = (argument: string): string =>
  /^[\w./:@=+-]+$/.test(argument) ? argument : `'${argument.replaceAll("'", String.raw`'\''`)}'`;
