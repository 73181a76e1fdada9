/** A character for each byte: itself where it can be seen, else one from U+0100 on. Source: GPT-2, bytes_to_unicode. */
const CHARACTERS: readonly string[] = (() => {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const isVisible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xff && byte !== 0xad);
    return String.fromCharCode(isVisible ? byte : next++);
  });
})();
const BYTES: ReadonlyMap<string, number> = new Map(CHARACTERS.map((character, byte) => [character, byte]));

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

/** The bytes of a text in UTF-8, a character each. */
export function bytesToCharacters(text: string): string {
  let characters = '';
  for (const byte of encoder.encode(text)) characters += CHARACTERS[byte];
  return characters;
}

/** Bytes of tokens whose characters stand for bytes; a token with any other character is text. */
export function charactersToBytes(token: string): number[] {
  const bytes: number[] = [];
  for (const character of token) {
    const byte = BYTES.get(character);
    if (byte === undefined) return [...encoder.encode(token)];
    bytes.push(byte);
  }
  return bytes;
}

export const utf8Bytes = (text: string): Uint8Array => encoder.encode(text);

/** Text of bytes, a byte order mark included; a replacement character stands for what is no UTF-8. */
export const utf8Text = (bytes: Iterable<number>): string => decoder.decode(Uint8Array.from(bytes));
