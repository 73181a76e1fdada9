import * as v from 'valibot';
import { bytesToCharacters } from './byte-level.ts';
import { buildPart, FLAG, kind, OFFSETS, PATTERN, type Kinds } from './parts.ts';
import { finderOf, literal, matchesOf, onigurumaRegex, SPACE, WORD } from './regex.ts';
import { BEHAVIORS, splitPiece, type Behavior, type Piece } from './split.ts';

export type PreTokenize = (piece: Piece) => Piece[];

const GPT2 = String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const find = (pattern: string) => matchesOf(new RegExp(pattern, 'gu'));
/** That of ASCII includes symbols such as + and $. */
const punctuation = matchesOf(/[!-/:-@[-`{-~\p{P}]/gu);
const space = find(SPACE);

const split =
  (finder: ReturnType<typeof find>, behavior: Behavior, invert = false): PreTokenize =>
  (piece) =>
    splitPiece(piece, finder, behavior, invert);

const BEHAVIOR = v.picklist(BEHAVIORS);
export const PREPEND_SCHEMES = v.picklist(['always', 'never', 'first']);

/** Whether a space is put in front: older files say it with `add_prefix_space`. */
export const METASPACE = {
  replacement: v.optional(v.string()),
  prepend_scheme: v.optional(PREPEND_SCHEMES),
  add_prefix_space: FLAG,
  split: FLAG,
  str_rep: v.optional(v.string()),
};
export const schemeOf = (scheme: 'always' | 'never' | 'first' | undefined, prefix: boolean | undefined) =>
  scheme ?? (prefix === false ? 'never' : 'always');

/** What cuts a text into words. Source: tokenizers/src/pre_tokenizers of the Rust library. */
export const PRE_TOKENIZERS: Kinds<PreTokenize> = {
  Split: kind(
    { pattern: PATTERN, behavior: BEHAVIOR, invert: FLAG },
    ({ pattern, behavior, invert }, place) => split(finderOf(place, pattern), behavior, invert),
  ),
  Punctuation: kind({ behavior: v.optional(BEHAVIOR) }, ({ behavior = 'Isolated' }) =>
    split(punctuation, behavior),
  ),
  Digits: kind({ individual_digits: FLAG }, ({ individual_digits: single = false }) =>
    split(find(String.raw`\p{N}`), single ? 'Isolated' : 'Contiguous'),
  ),
  CharDelimiterSplit: kind({ delimiter: v.string() }, ({ delimiter }) =>
    split(matchesOf(literal(delimiter)), 'Removed'),
  ),
  Whitespace: kind({}, () => split(find(`${WORD}+|(?:(?!${WORD})\\P{White_Space})+`), 'Removed', true)),
  WhitespaceSplit: kind({}, () => split(space, 'Removed')),
  BertPreTokenizer: kind(
    {},
    () => (piece: Piece) =>
      splitPiece(piece, space, 'Removed').flatMap((word) => splitPiece(word, punctuation, 'Isolated')),
  ),
  ByteLevel: kind(
    { add_prefix_space: v.optional(v.boolean()), use_regex: FLAG, ...OFFSETS },
    ({ add_prefix_space: prefix = true, use_regex: cuts = true }, place) => {
      const words = cuts
        ? split(matchesOf(onigurumaRegex(place, GPT2)), 'Isolated')
        : (piece: Piece) => [piece];
      return ({ text, first }: Piece) =>
        words({ text: prefix && !text.startsWith(' ') ? ` ${text}` : text, first }).map((word) => ({
          ...word,
          text: bytesToCharacters(word.text),
        }));
    },
  ),
  Metaspace: kind(
    METASPACE,
    ({ replacement = '▁', prepend_scheme, add_prefix_space, split: cuts = true }) => {
      const scheme = schemeOf(prepend_scheme, add_prefix_space);
      const sought = matchesOf(literal(replacement));
      return ({ text, first }: Piece) => {
        const spaced = text.replaceAll(' ', () => replacement);
        const wanted = scheme === 'always' || (scheme === 'first' && first);
        const piece = {
          text: wanted && !spaced.startsWith(replacement) ? replacement + spaced : spaced,
          first,
        };
        return cuts ? splitPiece(piece, sought, 'MergedWithNext') : [piece];
      };
    },
  ),
  Sequence: kind({ pretokenizers: v.array(v.unknown()) }, ({ pretokenizers }, place) => {
    const steps = pretokenizers.map((each) => buildPart(place, PRE_TOKENIZERS, each));
    return (piece: Piece) =>
      steps.reduce<Piece[]>((pieces, step) => pieces.flatMap((each) => step(each)), [piece]);
  }),
};
