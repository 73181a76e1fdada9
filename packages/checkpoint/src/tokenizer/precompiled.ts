import { notDone, type Place } from './parts.ts';
import { utf8Bytes, utf8Text } from './byte-level.ts';

/** Bytes of a cluster of characters above which only its single characters are looked up. */
const LONGEST_CLUSTER = 5;

/**
 * The table of SentencePiece: a double-array trie over UTF-8 from texts to their replacements. Clusters of characters are
 * looked up whole, then one by one. Source: the crate spm_precompiled, and Darts-clone for the trie.
 */
export function readCharsMap(place: Place, base64: string): (text: string) => string {
  const bytes = decodeBase64(place, base64);
  const view = new DataView(bytes.buffer);
  const size = bytes.length >= 4 ? view.getUint32(0, true) : NaN;
  if (!(size % 4 === 0 && size >= 4 && size + 4 <= bytes.length))
    throw notDone(place, 'a table of characters', `${bytes.length} bytes that are none`);
  const units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
  const values = bytes.subarray(4 + size);
  const replacement = (text: string): string | undefined => {
    const at = shortest(units, utf8Bytes(text));
    if (at === undefined) return undefined;
    const end = values.indexOf(0, at);
    return utf8Text(values.subarray(at, end === -1 ? values.length : end));
  };
  const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
  return (text) => {
    let out = '';
    for (const { segment } of segmenter.segment(text)) {
      const whole = utf8Bytes(segment).length <= LONGEST_CLUSTER ? replacement(segment) : undefined;
      out += whole ?? Array.from(segment, (character) => replacement(character) ?? character).join('');
    }
    return out;
  };
}

function decodeBase64(place: Place, base64: string): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  } catch {
    throw notDone(place, 'a table of characters in base64', JSON.stringify(base64.slice(0, 40)));
  }
}

/** The value of the shortest key that the bytes begin with. */
function shortest(units: Uint32Array, bytes: Uint8Array): number | undefined {
  const offset = (unit: number): number => (unit >>> 10) << ((unit & 0x200) >>> 6);
  let node = offset(units[0]);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = units[node];
    if (unit === undefined || (unit & 0x800000ff) >>> 0 !== byte) return undefined;
    node ^= offset(unit);
    if (((unit >>> 8) & 1) === 1) return units[node] & 0x7fffffff;
  }
  return undefined;
}
