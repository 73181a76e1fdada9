import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import { exists, readJsonObject } from './files.ts';
import type { FilesOption, FileStore } from './store.ts';
import { createEngine, type Engine } from './tokenizer/engine.ts';
import { contentOf, frameOf, withConfigTokens, withTokensMap } from './tokenizer/special-tokens.ts';
import { createStream, type TextStream } from './tokenizer/stream.ts';
import { checkVocabulary } from './tokenizer/vocabulary.ts';
import { cutAtWords } from './tokenizer/words.ts';

export const TOKENIZER_FILE = 'tokenizer.json';
export const TOKENIZER_CONFIG_FILE = 'tokenizer_config.json';
export const SPECIAL_TOKENS_FILE = 'special_tokens_map.json';
export const SENTENCEPIECE_FILE = 'tokenizer.model';

export interface EncodeOptions {
  /** Whether the special tokens that the tokenizer's files ask for stand around the text. Default: true. */
  readonly special?: boolean | undefined;
}

/** Text to token ids and back. */
export interface TextTokenizer {
  /**
   * Ids of a text, with the special tokens around it (such as BOS) that the tokenizer's files ask for. Special tokens that
   * are written out in the text are found in any case.
   * Errors: UNSUPPORTED for a tokenizer that takes far too long, in Node, or a character that it has no token for.
   */
  encode(text: string, options?: EncodeOptions): number[];
  /** Text of ids, without special tokens. Errors: INVALID_ARGUMENT for an id that has no token. */
  decode(ids: readonly number[]): string;
  /** Whether an id has a token. Those that only fill up a table of weights have none. */
  has(id: number): boolean;
  /** The id of a token as it is written in the vocabulary. */
  idOf(token: string): number | undefined;
  /** The token that begins texts, where the files name one; whether `encode` puts it there is another matter. */
  readonly bos: number | undefined;
  /** One more than the largest id. */
  readonly vocabularySize: number;
  /** Decodes ids one at a time: all that comes out of a stream is what `decode` gives for all its ids. */
  stream(): TextStream;
}

/**
 * Loads tokenizer.json and, where they are, tokenizer_config.json and special_tokens_map.json of a model folder.
 * Errors: MISSING, CORRUPT_FILE, UNSUPPORTED (a part that is not implemented, by its name), MISMATCH.
 */
export async function loadTokenizer(
  folder: string,
  { files = host.files() }: FilesOption = {},
): Promise<TextTokenizer> {
  const path = files.join(folder, TOKENIZER_FILE);
  await checkThere(files, folder, path);
  const definition = await readJsonObject(files, path);
  const config = await readTokenizerConfig(folder, { files });
  checkVocabulary(path, definition);
  return createTokenizer(path, createEngine(path, cutAtWords(withConfigTokens(definition, config))), config);
}

/** tokenizer_config.json, with what only special_tokens_map.json says. Errors: CORRUPT_FILE. */
export async function readTokenizerConfig(
  folder: string,
  { files = host.files() }: FilesOption = {},
): Promise<Readonly<Record<string, unknown>>> {
  const read = async (name: string): Promise<Record<string, unknown>> => {
    const path = files.join(folder, name);
    return (await exists(files, path)) ? readJsonObject(files, path) : {};
  };
  return withTokensMap(await read(TOKENIZER_CONFIG_FILE), await read(SPECIAL_TOKENS_FILE));
}

async function checkThere(files: FileStore, folder: string, path: string): Promise<void> {
  const old = files.join(folder, SENTENCEPIECE_FILE);
  if ((await exists(files, path)) || !(await exists(files, old))) return;
  throw new SpikeError('MISSING', {
    where: path,
    expected: 'a tokenizer in the format of the tokenizers library',
    received: `${SENTENCEPIECE_FILE} only`,
    remedy:
      `write ${TOKENIZER_FILE} once in Python: ` +
      `AutoTokenizer.from_pretrained(${JSON.stringify(folder)}).save_pretrained(${JSON.stringify(folder)}), ` +
      'with the packages transformers and sentencepiece',
  });
}

function createTokenizer(
  path: string,
  engine: Engine,
  config: Readonly<Record<string, unknown>>,
): TextTokenizer {
  const { before, behind } = frameOf(path, engine, config);
  const special = new Set(engine.added.filter((token) => token.special).map(({ id }) => id));
  const isSpecial = (id: number): boolean => special.has(id);
  const has = (id: number): boolean => engine.tokenOf(id) !== undefined;
  const bos = contentOf(config.bos_token);
  const decode = (ids: readonly number[]): string => {
    const tokens: string[] = [];
    for (const id of ids) {
      const token = engine.tokenOf(id);
      if (token === undefined) throw noSuchId(path, id, engine.size);
      if (!isSpecial(id)) tokens.push(token);
    }
    return engine.decode(tokens);
  };
  return {
    encode(text, { special: isFramed = true } = {}) {
      const ids = encodeWithinTime(path, text, engine.encode);
      return isFramed ? [...before, ...ids, ...behind] : ids;
    },
    decode,
    has,
    idOf: engine.idOf,
    bos: before[0] ?? (bos === undefined ? undefined : engine.idOf(bos)),
    vocabularySize: engine.size,
    stream: () => createStream({ decode, isSpecial, has }),
  };
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

function noSuchId(path: string, id: number, size: number): SpikeError {
  return new SpikeError('INVALID_ARGUMENT', {
    where: path,
    expected: `token ids from 0 to ${size - 1}`,
    received: String(id),
  });
}
