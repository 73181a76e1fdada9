import * as v from 'valibot';
import { lengthsOf } from './lengths.ts';
import type { Normalize } from './normalizers.ts';
import { checked, FLAG } from './parts.ts';
import { SPACE, WORD } from './regex.ts';

/** A token that is found in the text itself, before anything is cut. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Not part of a decoded text. */
  readonly special: boolean;
  /** Looked for in the normalised text, else in the text as it came. */
  readonly normalized: boolean;
  /** Only where no letter, digit or mark stands beside it. */
  readonly single_word: boolean;
  /** Takes the white space before it along. */
  readonly lstrip: boolean;
  /** Takes the white space behind it along. */
  readonly rstrip: boolean;
}

/** Errors: UNSUPPORTED for a field that is not known. */
export function readAddedTokens(path: string, value: unknown): AddedToken[] {
  const tokens: readonly unknown[] = Array.isArray(value) ? value : [];
  return tokens.map((each, i) => {
    const {
      special = false,
      single_word = false,
      lstrip = false,
      rstrip = false,
      ...token
    } = checked(
      { path, name: `added_tokens ${i}` },
      {
        id: v.number(),
        content: v.string(),
        special: FLAG,
        normalized: FLAG,
        single_word: FLAG,
        lstrip: FLAG,
        rstrip: FLAG,
      },
      each,
    );
    return { ...token, special, single_word, lstrip, rstrip, normalized: token.normalized ?? !special };
  });
}

/** A text, or a token that was found in it. */
export type Found = { readonly text: string; readonly start: number } | { readonly id: number };

/** Finds the tokens in a text: leftmost, and of those that begin at one place the longest. */
export type TokenFinder = (text: string) => Found[];

const LETTER = new RegExp(WORD, 'u');
const WHITE = new RegExp(SPACE, 'u');

/** @param normalize what the tokens' texts go through, as the text has gone through it */
export function createTokenFinder(tokens: readonly AddedToken[], normalize: Normalize): TokenFinder {
  const byContent = new Map<string, AddedToken>();
  for (const token of tokens) {
    const content = normalize(token.content);
    if (content !== '' && !byContent.has(content)) byContent.set(content, token);
  }
  if (byContent.size === 0) return (text) => (text === '' ? [] : [{ text, start: 0 }]);
  const lengths = lengthsOf(byContent.keys());
  const longestAt = (text: string, at: number): readonly [AddedToken, number] | undefined => {
    for (const length of (lengths.get(text.charCodeAt(at)) ?? []).toReversed()) {
      const token = byContent.get(text.slice(at, at + length));
      if (token !== undefined && at + length <= text.length) return [token, at + length];
    }
    return undefined;
  };
  return (text) => {
    const found: Found[] = [];
    let done = 0;
    const keep = (end: number): void => {
      if (done < end) found.push({ text: text.slice(done, end), start: done });
    };
    for (let at = 0; at < text.length;) {
      const match = longestAt(text, at);
      if (match === undefined) {
        at++;
        continue;
      }
      const [token, end] = match;
      const start = at;
      at = end;
      if (token.single_word && !standsAlone(text, start, end)) continue;
      keep(token.lstrip ? spaceBefore(text, done, start) : start);
      found.push({ id: token.id });
      done = token.rstrip ? spaceBehind(text, end) : end;
    }
    keep(text.length);
    return found;
  };
}

const standsAlone = (text: string, start: number, end: number): boolean =>
  !LETTER.test(characterBefore(text, start)) &&
  !LETTER.test(String.fromCodePoint(text.codePointAt(end) ?? 0));

function characterBefore(text: string, at: number): string {
  const pair = text.slice(Math.max(0, at - 2), at);
  return (pair.codePointAt(0) ?? 0) > 0xffff ? pair : pair.slice(-1);
}

function spaceBefore(text: string, from: number, at: number): number {
  let start = at;
  while (start > from && WHITE.test(text[start - 1])) start--;
  return start;
}

function spaceBehind(text: string, at: number): number {
  let end = at;
  while (end < text.length && WHITE.test(text[end])) end++;
  return end;
}
