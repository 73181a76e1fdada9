/** Numbers as people read them. */

const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** 3,967,744 as `3.97M`. */
export const count = (value: number): string => compact.format(value);

/** Bytes in units of 1000. */
export function bytes(value: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, value)) / 3)));
  return `${(value / 1000 ** power).toPrecision(3).replace(/\.?0+$/, '')} ${units[power]}`;
}

/** Seconds as `4 s`, `2 min 05 s`. */
export function duration(seconds: number): string {
  const whole = Math.ceil(seconds);
  return whole < 100
    ? `${whole} s`
    : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** A rate with three digits that count. */
export const rate = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3));

/** 0.1 + 0.2 as `0.3`, -2 as `−2`: at most so many decimals, and a true minus. */
export const decimal = (value: number, digits = 3): string =>
  String(Number(value.toFixed(digits)) || 0).replace('-', '−');

/** Three digits that count, in the largest of these units that leaves 1 or more. */
function scaled(value: number, units: readonly string[]): string {
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, value)) / 3));
  return `${(value / 1000 ** power).toPrecision(3)} ${units[power]}`.trimEnd();
}

/** A count of operations: 368 M, 94.2 G. */
export const operations = (value: number): string => scaled(value, ['', 'k', 'M', 'G', 'T', 'P']);

/** An energy given in picojoules. */
export const joules = (picojoules: number): string => scaled(picojoules, ['pJ', 'nJ', 'µJ', 'mJ', 'J']);
