import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import { Tokenizer } from '@huggingface/tokenizers';
import { exists, isRecord, readJsonObject } from './files.ts';
import { checkPattern } from './patterns.ts';
import type { FilesOption } from './store.ts';
import { checkVocabulary } from './vocabulary.ts';
import { cutAtWords } from './words.ts';

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';

/** Text to token ids and back. */
export interface TextTokenizer {
  /**
   * Ids of a text, with the special tokens around it (such as BOS) that the tokenizer's files ask for.
   * Errors: UNSUPPORTED for a tokenizer that takes far too long, in Node.
   */
  encode(text: string): number[];
  /** Text of ids, without special tokens. Errors: INVALID_ARGUMENT for an id outside the vocabulary. */
  decode(ids: readonly number[]): string;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** Decodes ids one at a time: all that comes out of a stream is what `decode` gives for all its ids. */
  stream(): TextStream;
}

/** Text of ids that come one at a time. */
export interface TextStream {
  /** The text that is now certain; '' while the bytes of a character are incomplete. Errors: as `decode`. */
  push(id: number): string;
  /** What was held back: a replacement character where the last character never became complete. */
  end(): string;
}

/** The part of the library's `Tokenizer` that is used; its own declarations do not resolve in ES modules. */
interface Vocabulary {
  encode(text: string, options?: { add_special_tokens?: boolean }): { readonly ids: number[] };
  decode(ids: readonly number[], options: { clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(): ReadonlyMap<string, number>;
  get_added_tokens_decoder(): ReadonlyMap<number, { readonly special: boolean }>;
}

/**
 * Loads tokenizer.json and, where there is one, tokenizer_config.json of a model folder.
 * Errors: MISSING, CORRUPT_FILE, UNSUPPORTED.
 */
export async function loadTokenizer(
  folder: string,
  { files = host.files() }: FilesOption = {},
): Promise<TextTokenizer> {
  const path = files.join(folder, TOKENIZER_FILE);
  const definition = await readJsonObject(files, path);
  const configPath = files.join(folder, TOKENIZER_CONFIG_FILE);
  const config = (await exists(files, configPath)) ? await readJsonObject(files, configPath) : {};
  checkVocabulary(path, definition);
  checkPatterns(path, definition);
  const tokenizer = createTokenizer(path, cutAtWords(definition), config);
  const frame = createFrame(path, tokenizer, config);
  const special = new Set(
    Array.from(tokenizer.get_added_tokens_decoder())
      .filter(([, token]) => token.special)
      .map(([id]) => id),
  );
  const vocabularySize = highestId(tokenizer) + 1;

  const decode = (ids: readonly number[]): string => {
    for (const id of ids) checkId(path, tokenizer, id, vocabularySize);
    const visible = ids.filter((id) => !special.has(id));
    // Cleaning up would take away spaces that the tokens have, and break the agreement with `stream`.
    return visible.length === 0 ? '' : tokenizer.decode(visible, { clean_up_tokenization_spaces: false });
  };
  return {
    encode: (text) => encodeWithinTime(path, text, frame),
    decode,
    vocabularySize,
    stream: () => createStream(decode, (id) => special.has(id)),
  };
}

/**
 * Judges every regular expression of a tokenizer, as the library writes it, before one of them runs: a tokenizer without
 * tokens is built for that.
 */
function checkPatterns(path: string, definition: object): void {
  const model = { type: 'WordLevel', vocab: {}, unk_token: '' };
  const probe = createTokenizer(path, { ...definition, model, added_tokens: [] }, {});
  const seen = new Set<unknown>();
  const search = (value: unknown): void => {
    if ((typeof value !== 'object' && typeof value !== 'function') || value === null || seen.has(value))
      return;
    seen.add(value);
    if (value instanceof RegExp) checkPattern(path, value);
    else Object.values(value).forEach(search);
  };
  search(probe);
}

/** Milliseconds for a text, far more than any tokenizer needs: some ten microseconds a character. */
const timeFor = (text: string): number => 10_000 + text.length / 10;

/** A pattern that is allowed takes time that grows with a power of the text, which is too much for a long one. */
function encodeWithinTime(path: string, text: string, encode: (text: string) => number[]): number[] {
  const limit = Math.ceil(timeFor(text));
  const ids = host.withinTime(limit, () => encode(text));
  if (ids !== undefined) return ids;
  throw new SpikeError('UNSUPPORTED', {
    where: path,
    expected: `${text.length} characters to be encoded within ${Math.round(limit / 1000)} seconds`,
    received: 'more time than that',
    remedy: 'give a shorter text, or use the tokenizer of another model',
  });
}

function createTokenizer(path: string, definition: object, config: object): Vocabulary {
  try {
    return new Tokenizer(definition, config) as Vocabulary;
  } catch (error) {
    throw new SpikeError('UNSUPPORTED', {
      where: path,
      expected: 'a tokenizer that @huggingface/tokenizers can build',
      received: (error as Error).message,
      cause: error,
    });
  }
}

/**
 * How a text is framed by BOS and EOS. Where tokenizer_config.json has `add_bos_token` or `add_eos_token` they
 * decide, as they do for the LLaMA tokenizers of transformers; otherwise the post-processor of tokenizer.json does.
 */
function createFrame(
  path: string,
  tokenizer: Vocabulary,
  config: Record<string, unknown>,
): (text: string) => number[] {
  const { add_bos_token: addBos, add_eos_token: addEos } = config;
  if (typeof addBos !== 'boolean' && typeof addEos !== 'boolean') return (text) => tokenizer.encode(text).ids;
  const ids = (wanted: unknown, key: 'bos_token' | 'eos_token'): number[] =>
    wanted === true ? [specialId(path, tokenizer, key, config[key])] : [];
  const before = ids(addBos, 'bos_token');
  const after = ids(addEos, 'eos_token');
  return (text) => [...before, ...tokenizer.encode(text, { add_special_tokens: false }).ids, ...after];
}

/** The id of a token that the config gives as a string or as an object with its `content`. */
function specialId(path: string, tokenizer: Vocabulary, key: string, token: unknown): number {
  const content = isRecord(token) ? token.content : token;
  const id = typeof content === 'string' ? tokenizer.token_to_id(content) : undefined;
  if (id !== undefined) return id;
  throw new SpikeError('MISMATCH', {
    where: path,
    expected: `${key} of ${TOKENIZER_CONFIG_FILE} in the vocabulary`,
    received: JSON.stringify(token) ?? 'none',
  });
}

function highestId(tokenizer: Vocabulary): number {
  let highest = -1;
  for (const id of tokenizer.get_vocab().values()) highest = Math.max(highest, id);
  return highest;
}

function checkId(path: string, tokenizer: Vocabulary, id: number, vocabularySize: number): void {
  if (tokenizer.id_to_token(id) !== undefined) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: path,
    expected: `token ids from 0 to ${vocabularySize - 1}`,
    received: String(id),
  });
}

const INCOMPLETE = '\uFFFD';

/**
 * Decodes a short window: the last token whose text is out, which gives the decoder its context (whether a leading
 * space is the sentence's first), and those after it. A character whose bytes are incomplete decodes to one
 * replacement character at the end, so that much is held back.
 */
function createStream(
  decode: (ids: readonly number[]) => string,
  isSpecial: (id: number) => boolean,
): TextStream {
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
  };
}
