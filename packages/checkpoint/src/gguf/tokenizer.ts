import { corrupt, unsupported } from './errors.ts';
import type { Metadata } from './metadata.ts';
import { PRE_TOKENIZERS, type PreTokenizer } from './pre-tokenizers.ts';

type Json = Record<string, unknown>;

/** A tokenizer as the files of a model folder have it. */
export interface TokenizerFiles {
  /** tokenizer_config.json: special tokens, whether a text is framed by them, the chat template. */
  readonly config: Json;
  /** tokenizer.json. Errors: MISSING, CORRUPT_FILE, UNSUPPORTED (a kind of tokenizer). */
  definition(): Json;
}

const key = (name: string): string => `tokenizer.ggml.${name}`;
const TOKENS = key('tokens');
const TYPES = key('token_type');
const MODEL = key('model');
const PRE = key('pre');

/** What tokenizer.ggml.token_type says of a token. */
const NORMAL = 1;
const UNKNOWN = 2;
const CONTROL = 3;
const USER_DEFINED = 4;

/** The tokenizer that metadata describes. Errors: CORRUPT_FILE (a special token outside the vocabulary). */
export function tokenizerFiles(metadata: Metadata): TokenizerFiles {
  return { config: configOf(metadata), definition: () => definitionOf(metadata) };
}

function definitionOf(metadata: Metadata): Json {
  const model = metadata.text(MODEL);
  if (Object.hasOwn(KINDS, model)) return KINDS[model].definition(metadata);
  const expected = `${MODEL} among ${Object.keys(KINDS).join(', ')}`;
  const remedy = 'use the tokenizer.json of the model that this one was made from';
  throw unsupported(metadata.path, expected, model, remedy);
}

interface Kind {
  readonly definition: (metadata: Metadata) => Json;
  /** Ids of special tokens where the file does not say. */
  readonly ids: Readonly<Record<string, number>>;
  /** Whether a text begins with BOS where the file does not say. */
  readonly addsBos: (metadata: Metadata) => boolean;
}

/** By tokenizer.ggml.model. */
const KINDS: Readonly<Record<string, Kind>> = {
  llama: {
    definition: sentencePiece,
    ids: { bos: 1, eos: 2, unknown: 0 },
    addsBos: () => true,
  },
  gpt2: {
    definition: byteLevel,
    ids: {},
    addsBos: (metadata) => preTokenizerOf(metadata)?.addsBos === true,
  },
};

const SPECIAL_TOKENS = { bos: 'bos_token', eos: 'eos_token', unknown: 'unk_token', padding: 'pad_token' };

function configOf(metadata: Metadata): Json {
  if (!metadata.has(TOKENS)) return {};
  const tokens = metadata.texts(TOKENS);
  const model = metadata.has(MODEL) ? metadata.text(MODEL) : '';
  const kind = Object.hasOwn(KINDS, model) ? KINDS[model] : undefined;
  const special = Object.entries(SPECIAL_TOKENS).flatMap(([name, field]) => {
    const id = idOf(metadata, tokens, name, kind?.ids[name]);
    return id === undefined ? [] : [[field, tokens[id]]];
  });
  const flag = (name: string, otherwise: boolean): boolean =>
    metadata.has(key(name)) ? metadata.flag(key(name)) : otherwise;
  return {
    ...Object.fromEntries(special),
    add_bos_token: flag('add_bos_token', kind?.addsBos(metadata) ?? false),
    add_eos_token: flag('add_eos_token', false),
    ...(metadata.has('tokenizer.chat_template') && {
      chat_template: metadata.text('tokenizer.chat_template'),
    }),
    clean_up_tokenization_spaces: false,
  };
}

function idOf(
  metadata: Metadata,
  tokens: readonly string[],
  name: string,
  otherwise: number | undefined,
): number | undefined {
  const stated = key(`${name}_token_id`);
  if (!metadata.has(stated))
    return otherwise !== undefined && otherwise < tokens.length ? otherwise : undefined;
  const id = metadata.count(stated);
  if (id < tokens.length) return id;
  throw corrupt(`${metadata.path}: key ${stated}`, `a token of ${tokens.length}`, String(id));
}

/** Ten times the longest token there is; the ways to make a token of two take the square of its length. */
const MAX_TOKEN_LENGTH = 2048;

interface Vocabulary {
  readonly tokens: readonly string[];
  readonly types: ArrayLike<number>;
}

function vocabularyOf(metadata: Metadata): Vocabulary {
  // A token without text would be found everywhere.
  const tokens = metadata.texts(TOKENS).map((token, id) => (token === '' ? `[EMPTY_${id}]` : token));
  const long = tokens.findIndex((token) => token.length > MAX_TOKEN_LENGTH);
  if (long !== -1) {
    const expected = `tokens of at most ${MAX_TOKEN_LENGTH} characters`;
    throw corrupt(`${metadata.path}: key ${TOKENS}`, expected, `${tokens[long].length} of token ${long}`);
  }
  const types = metadata.has(TYPES) ? metadata.numbers(TYPES) : tokens.map(() => NORMAL);
  checkLength(metadata, TYPES, types.length, tokens.length);
  return { tokens, types };
}

function checkLength(metadata: Metadata, name: string, length: number, expected: number): void {
  if (length === expected) return;
  throw corrupt(`${metadata.path}: key ${name}`, `one value for each of ${expected} tokens`, String(length));
}

/** Tokens that are looked for in the text itself, before it is cut. */
const addedTokens = ({ tokens, types }: Vocabulary): Json[] =>
  tokens.flatMap((content, id) =>
    [UNKNOWN, CONTROL, USER_DEFINED].includes(types[id])
      ? [
          {
            id,
            content,
            special: types[id] !== USER_DEFINED,
            normalized: false,
            single_word: false,
            lstrip: false,
            rstrip: false,
          },
        ]
      : [],
  );

function idsOf(metadata: Metadata, tokens: readonly string[]): Record<string, number> {
  const ids = new Map(tokens.map((token, id) => [token, id]));
  if (ids.size === tokens.length) return Object.fromEntries(ids);
  const twice = tokens.find((token, id) => ids.get(token) !== id);
  throw corrupt(`${metadata.path}: key ${TOKENS}`, 'tokens that differ', `${JSON.stringify(twice)} twice`);
}

/** Merges within words, of bytes that are written as characters. */
function byteLevel(metadata: Metadata): Json {
  const vocabulary = vocabularyOf(metadata);
  const { patterns, ignoresMerges = false, composes } = cutter(metadata);
  const split = patterns.map((pattern) => ({
    type: 'Split',
    pattern: { Regex: pattern },
    behavior: 'Isolated',
    invert: false,
  }));
  const bytes = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false };
  return {
    added_tokens: addedTokens(vocabulary),
    normalizer: composes === true ? { type: 'NFC' } : null,
    pre_tokenizer: { type: 'Sequence', pretokenizers: [...split, bytes] },
    post_processor: null,
    decoder: { type: 'ByteLevel' },
    model: {
      type: 'BPE',
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: ignoresMerges,
      vocab: idsOf(metadata, vocabulary.tokens),
      merges: metadata.texts(key('merges')).map((merge) => pairOf(metadata, merge)),
    },
  };
}

const preName = (metadata: Metadata): string => (metadata.has(PRE) ? metadata.text(PRE) : 'default');

function preTokenizerOf(metadata: Metadata): PreTokenizer | undefined {
  const name = preName(metadata);
  return Object.hasOwn(PRE_TOKENIZERS, name) ? PRE_TOKENIZERS[name] : undefined;
}

function cutter(metadata: Metadata): PreTokenizer {
  const found = preTokenizerOf(metadata);
  if (found !== undefined) return found;
  const expected = `${PRE} among ${Object.keys(PRE_TOKENIZERS).join(', ')}`;
  const remedy = 'use the tokenizer.json of the model that this one was made from';
  throw unsupported(metadata.path, expected, preName(metadata), remedy);
}

/** A merge's two sides. The first has a character at least, which may be a space. */
function pairOf(metadata: Metadata, merge: string): [string, string] {
  const space = merge.indexOf(' ', 1);
  if (space !== -1) return [merge.slice(0, space), merge.slice(space + 1)];
  throw corrupt(
    `${metadata.path}: key ${key('merges')}`,
    'two tokens with a space between',
    JSON.stringify(merge),
  );
}

/** What SentencePiece writes for a space. */
const SPACE = '▁';

/** Merges over the whole text, the best token first, and bytes for characters that are no token. */
function sentencePiece(metadata: Metadata): Json {
  const vocabulary = vocabularyOf(metadata);
  const { tokens } = vocabulary;
  const scores = metadata.numbers(key('scores'));
  checkLength(metadata, key('scores'), scores.length, tokens.length);
  const prefixKey = key('add_space_prefix');
  const hasPrefix = metadata.has(prefixKey) ? metadata.flag(prefixKey) : true;
  const unknown = idOf(metadata, tokens, 'unknown', KINDS.llama.ids.unknown);
  const spaces = { type: 'Replace', pattern: { String: ' ' }, content: SPACE };
  const decoders = [
    { type: 'Replace', pattern: { String: SPACE }, content: ' ' },
    { type: 'ByteFallback' },
    { type: 'Fuse' },
  ];
  return {
    added_tokens: addedTokens(vocabulary),
    normalizer: hasPrefix
      ? { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: SPACE }, spaces] }
      : spaces,
    pre_tokenizer: null,
    post_processor: null,
    decoder: {
      type: 'Sequence',
      decoders: hasPrefix ? [...decoders, { type: 'Strip', content: ' ', start: 1, stop: 0 }] : decoders,
    },
    model: {
      type: 'BPE',
      unk_token: unknown === undefined ? null : tokens[unknown],
      fuse_unk: true,
      byte_fallback: true,
      ignore_merges: false,
      vocab: idsOf(metadata, tokens),
      merges: mergesOf(vocabulary, scores),
    },
  };
}

/**
 * All ways to make a token of two others, the token of the highest score first: SentencePiece joins the neighbours whose
 * token has the highest score, again and again, which is what merges in this order do.
 */
function mergesOf({ tokens, types }: Vocabulary, scores: ArrayLike<number>): [string, string][] {
  const normal = new Set(tokens.filter((_, id) => types[id] === NORMAL));
  const inOrder = tokens
    .map((token, id) => ({ token, id }))
    .filter(({ id }) => types[id] === NORMAL)
    .toSorted((a, b) => scores[b.id] - scores[a.id] || a.id - b.id);
  return inOrder.flatMap(({ token }) => {
    const pairs: [string, string][] = [];
    let cut = 0;
    for (const character of token) {
      cut += character.length;
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (normal.has(left) && normal.has(right)) pairs.push([left, right]);
    }
    return pairs;
  });
}
