/** Fields of config.json as families read them, each with its domain. null is what is not there. */
import { SpikeError, validate, type Schema } from '@spikellm/backend';
import * as v from 'valibot';
import { record } from '../record.ts';

export type Json = Readonly<Record<string, unknown>>;

export const CONFIG_FILE = 'config.json';

export const unsupported = (expected: string, received: unknown, remedy?: string): SpikeError =>
  new SpikeError('UNSUPPORTED', {
    where: CONFIG_FILE,
    expected,
    received: JSON.stringify(received) ?? 'nothing',
    ...(remedy !== undefined && { remedy }),
  });
export const contradiction = (expected: string, received: unknown): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where: CONFIG_FILE,
    expected,
    received: JSON.stringify(received) ?? 'nothing',
  });

const NUMBER = 'to be a number above 0';
/** A finite number above 0. */
export const positive = v.pipe(
  v.number(NUMBER),
  v.check((value) => Number.isFinite(value) && value > 0, NUMBER),
);
/** A whole number above 0, at most `most`. */
export const count = (most = Number.MAX_SAFE_INTEGER) =>
  v.pipe(
    positive,
    v.check((value) => Number.isSafeInteger(value), 'to be a whole number'),
    v.check((value) => value <= most, `to be at most ${most}`),
  );
/** A number above 0; 1 where it is not there. */
export const factor = v.nullish(positive, 1);
/** true or false; false where it is not there. */
export const flag = v.nullish(v.boolean('to be true or false'), false);
const TOKENS = 'to be a token id or a list of them';
const token = v.pipe(
  v.number(TOKENS),
  v.check((id) => Number.isSafeInteger(id) && id >= 0, TOKENS),
);

/** A broken config does not become a list of a billion layers. */
const MOST_LAYERS = 10_000;

/** What all families of this project have. */
export const decoderFields = {
  hidden_size: count(),
  num_hidden_layers: count(MOST_LAYERS),
  num_attention_heads: count(),
  num_key_value_heads: v.nullish(count()),
  head_dim: v.nullish(count()),
  vocab_size: count(),
  max_position_embeddings: v.nullish(count(), 2048),
  tie_word_embeddings: flag,
  down_rotation: v.nullish(v.unknown()),
  eos_token_id: v.nullish(v.unknown()),
};

/** Reads fields. Errors: INVALID_ARGUMENT for the first one outside its domain. */
export function readFields<Entries extends v.ObjectEntries>(
  json: Json,
  entries: Entries,
): v.InferOutput<v.ObjectSchema<Entries, undefined>> {
  const schema = record(entries);
  return validate(
    schema as unknown as Schema<v.InferOutput<v.ObjectSchema<Entries, undefined>>>,
    json,
    (wrong) => ({
      where: CONFIG_FILE,
      expected: `${wrong.field} ${wrong.expected}`.trim(),
      received: wrong.received === 'null' ? 'nothing' : wrong.received,
    }),
  );
}

/** `eos_token_id`: a token, or a list of tokens. */
export function readEndTokens(value: unknown): number[] {
  const ids: unknown[] = value == null ? [] : Array.isArray(value) ? value : [value];
  if (!ids.every((id) => v.is(token, id))) throw contradiction(`eos_token_id ${TOKENS}`, value);
  return ids;
}
