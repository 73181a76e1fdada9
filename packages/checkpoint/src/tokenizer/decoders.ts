import * as v from 'valibot';
import { charactersToBytes, utf8Text } from './byte-level.ts';
import { replacer } from './normalizers.ts';
import { buildPart, FLAG, kind, OFFSETS, PATTERN, type Kinds } from './parts.ts';
import { METASPACE, schemeOf } from './pre-tokenizers.ts';

/** Tokens to the pieces of their text. */
export type Decode = (tokens: readonly string[]) => string[];

/** What makes text of tokens. Source: tokenizers/src/decoders of the Rust library. */
export const DECODERS: Kinds<Decode> = {
  ByteLevel: kind(
    { add_prefix_space: FLAG, use_regex: FLAG, ...OFFSETS },
    () => (tokens: readonly string[]) => [utf8Text(tokens.flatMap(charactersToBytes))],
  ),
  Metaspace: kind(METASPACE, ({ replacement = '▁', prepend_scheme, add_prefix_space }) => {
    const dropsFirst = schemeOf(prepend_scheme, add_prefix_space) !== 'never';
    return (tokens: readonly string[]) =>
      tokens.map((token, i) => token.replaceAll(replacement, i === 0 && dropsFirst ? '' : ' '));
  }),
  BPEDecoder: kind(
    { suffix: v.string() },
    ({ suffix }) =>
      (tokens: readonly string[]) =>
        tokens.map((token, i) =>
          suffix === '' ? token : token.replaceAll(suffix, i === tokens.length - 1 ? '' : ' '),
        ),
  ),
  Replace: kind({ pattern: PATTERN, content: v.string() }, ({ pattern, content }, place) => {
    const replace = replacer(place, pattern, content);
    return (tokens: readonly string[]) => tokens.map(replace);
  }),
  ByteFallback: kind({}, () => bytesFromNames),
  Fuse: kind({}, () => (tokens: readonly string[]) => [tokens.join('')]),
  Strip: kind(
    { content: v.string(), start: v.number(), stop: v.number() },
    ({ content, start, stop }) =>
      (tokens: readonly string[]) =>
        tokens.map((token) => stripped(Array.from(token), content, start, stop)),
  ),
  Sequence: kind({ decoders: v.array(v.unknown()) }, ({ decoders }, place) => {
    const steps = decoders.map((each) => buildPart(place, DECODERS, each));
    return (tokens: readonly string[]) => steps.reduce<string[]>((done, step) => step(done), [...tokens]);
  }),
};

/**
 * Tokens like <0x0A> are bytes. Where bytes in a row are no UTF-8, each part of them that is malformed becomes a replacement
 * character; the Rust library gives up the whole row for it, so that none of its characters could be streamed.
 */
const bytesFromNames: Decode = (tokens) => {
  const out: string[] = [];
  let bytes: number[] = [];
  const flush = (): void => {
    if (bytes.length > 0) out.push(utf8Text(bytes));
    bytes = [];
  };
  for (const token of tokens) {
    const byte = /^<0x([0-9A-Fa-f]{2})>$/.exec(token)?.[1];
    if (byte !== undefined) {
      bytes.push(Number.parseInt(byte, 16));
      continue;
    }
    flush();
    out.push(token);
  }
  flush();
  return out;
};

/** Takes a character away from both ends, so many times at most. */
function stripped(characters: string[], content: string, start: number, stop: number): string {
  let from = 0;
  while (from < start && from < characters.length && characters[from] === content) from++;
  let to = characters.length;
  while (characters.length - to < stop && to > from && characters[to - 1] === content) to--;
  return characters.slice(from, to).join('');
}
