/** Text of ids that come one at a time. */
export interface TextStream {
  /** The text that is now certain; '' while the bytes of a character are incomplete. Errors: as `decode`. */
  push(id: number): string;
  /** What was held back: a replacement character where the last character never became complete. */
  end(): string;
  /** Whether an id has a token. Those that only fill up a table of weights have none. */
  has(id: number): boolean;
}

const INCOMPLETE = '\uFFFD';

/** What a stream needs to know of a tokenizer. */
interface Vocabulary {
  readonly decode: (ids: readonly number[]) => string;
  readonly isSpecial: (id: number) => boolean;
  readonly has: (id: number) => boolean;
}

/**
 * Decodes a short window: the last token whose text is out, which gives the decoder its context (whether a leading
 * space is the sentence's first), and those after it. A character whose bytes are incomplete decodes to one
 * replacement character at the end, so that much is held back.
 */
export function createStream({ decode, isSpecial, has }: Vocabulary): TextStream {
  let window: number[] = [];
  let out = 0; // characters of the window's text that are out
  return {
    push(id) {
      const text = decode([...window, id]);
      if (isSpecial(id)) return ''; // has no text, and would be no context
      window.push(id);
      const certain = text.endsWith(INCOMPLETE) ? text.length - 1 : text.length;
      const fresh = text.slice(out, certain);
      out = certain;
      if (certain === text.length) {
        window = [id];
        out = decode(window).length;
      }
      return fresh;
    },
    end() {
      const rest = decode(window).slice(out);
      window = [];
      out = 0;
      return rest;
    },
    has,
  };
}
