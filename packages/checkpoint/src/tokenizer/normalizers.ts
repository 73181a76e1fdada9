import * as v from 'valibot';
import { bytesToCharacters } from './byte-level.ts';
import { buildPart, FLAG, kind, PATTERN, type Kinds, type Place } from './parts.ts';
import { readCharsMap } from './precompiled.ts';
import { finderOf, SPACE } from './regex.ts';

export type Normalize = (text: string) => string;

const unicode = (form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD') =>
  kind({}, () => (text: string) => text.normalize(form));
const LEADING = new RegExp(`^${SPACE}+`, 'u');
const TRAILING = new RegExp(`${SPACE}+$`, 'u');
const ACCENTS = /\p{Mn}/gu;
const CHINESE =
  /[\u4E00-\u9FFF\u3400-\u4DBF\u{20000}-\u{2A6DF}\u{2A700}-\u{2B73F}\u{2B740}-\u{2B81F}\u{2B920}-\u{2CEAF}\uF900-\uFAFF\u{2F800}-\u{2FA1F}]/gu;

/** What changes a text before it is cut. Source: tokenizers/src/normalizers of the Rust library. */
export const NORMALIZERS: Kinds<Normalize> = {
  NFC: unicode('NFC'),
  NFD: unicode('NFD'),
  NFKC: unicode('NFKC'),
  NFKD: unicode('NFKD'),
  Lowercase: kind({}, () => lowercase),
  StripAccents: kind({}, () => (text: string) => text.replace(ACCENTS, '')),
  ByteLevel: kind({}, () => bytesToCharacters),
  Strip: kind(
    { strip_left: v.boolean(), strip_right: v.boolean() },
    ({ strip_left: left, strip_right: right }) => {
      return (text: string) => {
        const begun = left ? text.replace(LEADING, '') : text;
        return right ? begun.replace(TRAILING, '') : begun;
      };
    },
  ),
  Prepend: kind(
    { prepend: v.string() },
    ({ prepend }) =>
      (text: string) =>
        text === '' ? '' : prepend + text,
  ),
  Replace: kind({ pattern: PATTERN, content: v.string() }, ({ pattern, content }, place) =>
    replacer(place, pattern, content),
  ),
  Precompiled: kind({ precompiled_charsmap: v.string() }, ({ precompiled_charsmap: map }, place) =>
    readCharsMap(place, map),
  ),
  BertNormalizer: kind(
    { clean_text: FLAG, handle_chinese_chars: FLAG, strip_accents: v.nullish(v.boolean()), lowercase: FLAG },
    ({
      clean_text: clean = true,
      handle_chinese_chars: chinese = true,
      strip_accents: accents,
      lowercase: lower = true,
    }) =>
      (text: string) => {
        let out = clean ? cleaned(text) : text;
        if (chinese) out = out.replace(CHINESE, ' $& ');
        if (accents ?? lower) out = out.normalize('NFD').replace(ACCENTS, '');
        return lower ? lowercase(out) : out;
      },
  ),
  Sequence: kind({ normalizers: v.array(v.unknown()) }, ({ normalizers }, place) => {
    const steps = normalizers.map((each) => buildPart(place, NORMALIZERS, each));
    return (text: string) => steps.reduce((done, step) => step(done), text);
  }),
};

/** Puts `content`, as it stands, in the place of every match. */
export function replacer(place: Place, pattern: v.InferOutput<typeof PATTERN>, content: string): Normalize {
  if ('String' in pattern) {
    const { String: sought } = pattern;
    return (text) => text.replaceAll(sought, () => content);
  }
  const find = finderOf(place, pattern);
  return (text) => {
    let out = '';
    let done = 0;
    for (const [start, end] of find(text)) {
      out += text.slice(done, start) + content;
      done = end;
    }
    return out + text.slice(done);
  };
}

/** Letter by letter, as Rust does it: the end of a word does not change a sigma. */
const lowercase: Normalize = (text) => Array.from(text, (character) => character.toLowerCase()).join('');

const cleaned: Normalize = (text) =>
  text
    .replace(/[\0\uFFFD]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Cn}\p{Co}]/gu, '')
    .replace(new RegExp(SPACE, 'gu'), ' ');
