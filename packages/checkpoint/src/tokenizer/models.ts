import * as v from 'valibot';
import { isRecord } from '../files.ts';
import { createBpe } from './bpe.ts';
import { noToken, type Model } from './model.ts';
import { FLAG, kind, type Kinds } from './parts.ts';
import { createUnigram } from './unigram.ts';

/** Ids by token; not `v.record`, which leaves out tokens such as `prototype`. `checkVocabulary` has seen the ids. */
const VOCABULARY = v.custom<Record<string, number>>(isRecord, 'tokens with their ids');
const AFFIX = v.nullish(v.string());

/** How words become tokens. Source: tokenizers/src/models of the Rust library. */
export const MODELS: Kinds<Model> = {
  BPE: kind(
    {
      vocab: VOCABULARY,
      merges: v.array(v.union([v.string(), v.strictTuple([v.string(), v.string()])])),
      unk_token: AFFIX,
      continuing_subword_prefix: AFFIX,
      end_of_word_suffix: AFFIX,
      fuse_unk: FLAG,
      byte_fallback: FLAG,
      ignore_merges: FLAG,
      dropout: v.nullish(v.literal(0)),
    },
    ({ vocab, merges, ...options }, place) =>
      createBpe(place, new Map(Object.entries(vocab)), merges, options),
  ),
  Unigram: kind(
    {
      vocab: v.array(v.strictTuple([v.string(), v.number()])),
      unk_id: v.nullish(v.number()),
      byte_fallback: FLAG,
    },
    ({ vocab, unk_id: unknown, byte_fallback: bytes = false }, place) =>
      createUnigram(place, vocab, unknown ?? undefined, bytes),
  ),
  WordLevel: kind(
    { vocab: VOCABULARY, unk_token: v.optional(v.string()) },
    ({ vocab, unk_token: unk = '<unk>' }, place) => {
      const ids = new Map(Object.entries(vocab));
      const unknown = ids.get(unk);
      return {
        ids,
        tokenize(word) {
          const id = ids.get(word) ?? unknown;
          if (id === undefined) throw noToken(place.path, word);
          return [id];
        },
      };
    },
  ),
};
