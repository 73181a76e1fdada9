import { toRegExpDetails } from 'oniguruma-to-es';
import type * as v from 'valibot';
import { checkPattern } from './check-pattern.ts';
import { notDone, type PATTERN, type Place } from './parts.ts';

/** Where a pattern matches a text: offsets [start, end), in order, that do not overlap. */
export type Finder = (text: string) => [number, number][];

/** Finds a text or a regular expression. Errors: UNSUPPORTED, also for one that may take for ever. */
export function finderOf(place: Place, pattern: v.InferOutput<typeof PATTERN>): Finder {
  return matchesOf('String' in pattern ? literal(pattern.String) : onigurumaRegex(place, pattern.Regex));
}

/** All matches of a regular expression with the flag `g`. */
export const matchesOf =
  (regex: RegExp): Finder =>
  (text) =>
    Array.from(text.matchAll(regex), ({ index, 0: { length } }) => [index, index + length]);

export const literal = (text: string): RegExp =>
  new RegExp(text.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'), 'gu');

/** A regular expression of the Rust library, which is Oniguruma's: `\s`, `^` and groups mean other things in JavaScript. */
export function onigurumaRegex(place: Place, source: string): RegExp {
  let regex: RegExp;
  try {
    const { pattern, flags, options } = toRegExpDetails(source, {
      accuracy: 'strict',
      rules: { captureGroup: true },
      target: 'ES2024',
    });
    if (options?.strategy !== undefined) throw new Error('searches that begin at \\G');
    regex = new RegExp(pattern, `${flags}g`);
  } catch (error) {
    throw notDone(
      place,
      'a regular expression that JavaScript can run',
      `${source} (${(error as Error).message})`,
    );
  }
  checkPattern(`${place.path}: ${place.name}`, regex);
  return regex;
}

/** What the crate `regex` calls a character of a word. */
export const WORD = String.raw`[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]`;
/** White space as Unicode has it; JavaScript's `\s` has U+FEFF too and lacks U+0085. */
export const SPACE = String.raw`\p{White_Space}`;
