import * as v from 'valibot';
import { isRecord } from '../files.ts';
import { createTokenFinder, readAddedTokens, type AddedToken } from './added-tokens.ts';
import { DECODERS, type Decode } from './decoders.ts';
import { MODELS } from './models.ts';
import { NORMALIZERS, type Normalize } from './normalizers.ts';
import { buildPart, checked, type Kinds } from './parts.ts';
import { NO_FRAME, POST_PROCESSORS, type Frame } from './post-processors.ts';
import { PRE_TOKENIZERS, type PreTokenize } from './pre-tokenizers.ts';

/** What tokenizer.json says, at work. */
export interface Engine {
  /** Ids of a text, without what frames it. */
  readonly encode: (text: string) => number[];
  /** Text of tokens, special ones too. */
  readonly decode: (tokens: readonly string[]) => string;
  readonly idOf: (token: string) => number | undefined;
  readonly tokenOf: (id: number) => string | undefined;
  readonly added: readonly AddedToken[];
  /** One more than the largest id. */
  readonly size: number;
  /** What the post-processor puts around a text. */
  readonly frame: Frame;
}

/** Half of a character, which is no text. */
const LONE_SURROGATE = /\p{Cs}/gu;
const ANY = v.optional(v.unknown());
const PARTS = {
  version: ANY,
  model: v.unknown(),
  added_tokens: ANY,
  normalizer: ANY,
  pre_tokenizer: ANY,
  post_processor: ANY,
  decoder: ANY,
  // How texts are cut or filled up to one length: a matter of batches, which transformers sets at each call.
  truncation: ANY,
  padding: ANY,
};

/**
 * Builds a tokenizer as the Rust library `tokenizers` does. What is implemented stands in the tables of models, normalizers,
 * pre-tokenizers, post-processors and decoders; all else is refused by its name, for a part left out would change ids in
 * silence.
 *
 * Errors: UNSUPPORTED, CORRUPT_FILE.
 */
export function createEngine(path: string, definition: Record<string, unknown>): Engine {
  checked({ path, name: 'tokenizer' }, PARTS, definition);
  const part = <T>(name: string, kinds: Kinds<T>, otherwise: T): T => {
    const value = definition[name] ?? null;
    return value === null ? otherwise : buildPart({ path, name }, kinds, value);
  };
  const normalize = part<Normalize>('normalizer', NORMALIZERS, (text) => text);
  const preTokenize = part<PreTokenize>('pre_tokenizer', PRE_TOKENIZERS, (piece) => [piece]);
  const frame = part<Frame>('post_processor', POST_PROCESSORS, NO_FRAME);
  const decodeAll = part<Decode>('decoder', DECODERS, (tokens) => [tokens.join(' ')]);
  const model = buildPart({ path, name: 'model' }, MODELS, typed(definition.model));
  const added = readAddedTokens(path, definition.added_tokens);
  const inText = createTokenFinder(
    added.filter(({ normalized }) => !normalized),
    (text) => text,
  );
  const inNormalized = createTokenFinder(
    added.filter(({ normalized }) => normalized),
    normalize,
  );
  const addedIds = new Map(added.map(({ content, id }) => [content, id]));
  const tokens: (string | undefined)[] = [];
  for (const [token, id] of model.ids) tokens[id] = token;
  // As the Rust library decodes them: in the form in which they were looked for.
  for (const { id, content, normalized } of added) tokens[id] = normalized ? normalize(content) : content;

  return {
    encode(text) {
      const ids: number[] = [];
      // Loops, since a text may give more ids than a call takes arguments.
      for (const raw of inText(text.replace(LONE_SURROGATE, '\uFFFD'))) {
        if ('id' in raw) {
          ids.push(raw.id);
          continue;
        }
        for (const found of inNormalized(normalize(raw.text))) {
          if ('id' in found) {
            ids.push(found.id);
            continue;
          }
          const first = raw.start === 0 && found.start === 0;
          for (const word of preTokenize({ text: found.text, first }))
            for (const id of model.tokenize(word.text)) ids.push(id);
        }
      }
      return ids;
    },
    decode: (texts) => decodeAll(texts).join(''),
    idOf: (token) => addedIds.get(token) ?? model.ids.get(token),
    tokenOf: (id) => tokens[id],
    added,
    size: tokens.length,
    frame,
  };
}

/** Older files do not name the type of their model; it is told by its fields, as the Rust library does. */
function typed(model: unknown): unknown {
  if (!isRecord(model) || model.type !== undefined) return model;
  if ('merges' in model) return { ...model, type: 'BPE' };
  if (Array.isArray(model.vocab)) return { ...model, type: 'Unigram' };
  return { ...model, type: 'max_input_chars_per_word' in model ? 'WordPiece' : 'WordLevel' };
}
