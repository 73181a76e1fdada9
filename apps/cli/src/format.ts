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
export const bytes = (count: number): string => scaled(count, ['B', 'kB', 'MB', 'GB', 'TB'], 0);

/** Operations, in thousands, millions, ... */
export const operations = (count: number): string => scaled(count, ['', 'k', 'M', 'G', 'T', 'P'], 0);

/** An energy given in picojoules. */
export const joules = (picojoules: number): string => scaled(picojoules, ['pJ', 'nJ', 'µJ', 'mJ', 'J'], 2);

/** A number with the unit that leaves it below 1000. @param places - decimals of the first unit, the others have 2 */
function scaled(value: number, units: readonly string[], places: number): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? places : 2)} ${units[power]}`.trimEnd();
}

export const windowsOf = ({ windows, window, tokens }: Perplexity): string =>
  `${windows} windows of ${window} tokens, ${tokens} predicted`;
