/** Fields of config.json that say how positions become angles. */
import * as v from 'valibot';
import { checkRotaryWidth, type RotaryScaling, type RotaryTable } from '../rotary.ts';
import { contradiction, count, positive, readFields, unsupported, type Json } from './fields.ts';
import { LAYER_KINDS, type LayerKind } from './windows.ts';

/** What a kind of scaling is read with. */
interface Reading {
  /** `max_position_embeddings`. */
  readonly context: number;
  /** Of the context of training, where the fields name none. */
  readonly original: number;
  readonly width: number;
}

const FACTOR = { factor: positive };
const ATTENTION_FACTOR = { attention_factor: v.nullish(positive) };
const LIST = 'to be a list of numbers above 0';

/** 0.1 m ln(factor) + 1, as YaRN has it for scores that keep their spread. */
const spread = (factor: number, by = 1): number => (factor <= 1 ? 1 : 0.1 * by * Math.log(factor) + 1);

/** Each kind of scaling, from the fields that it has. */
const SCALINGS: Readonly<Record<string, (fields: Json, reading: Reading) => RotaryScaling>> = {
  default: () => ({ type: 'none' }),
  linear: (fields) => ({ type: 'linear', factor: readFields(fields, FACTOR).factor }),
  dynamic(fields, { context }) {
    const { factor } = readFields(fields, FACTOR);
    return { type: 'dynamic', factor, originalContextLength: context };
  },

  llama3(fields, { original }) {
    const read = readFields(fields, { ...FACTOR, low_freq_factor: positive, high_freq_factor: positive });
    if (read.high_freq_factor <= read.low_freq_factor)
      throw contradiction(
        `high_freq_factor above low_freq_factor (${read.low_freq_factor})`,
        read.high_freq_factor,
      );
    return {
      type: 'llama3',
      factor: read.factor,
      lowFrequencyFactor: read.low_freq_factor,
      highFrequencyFactor: read.high_freq_factor,
      originalContextLength: original,
    };
  },

  yarn(fields, { context, original }) {
    const read = readFields(fields, {
      ...ATTENTION_FACTOR,
      factor: v.nullish(positive),
      beta_fast: v.nullish(positive, 32),
      beta_slow: v.nullish(positive, 1),
      mscale: v.nullish(v.number()),
      mscale_all_dim: v.nullish(v.number()),
      truncate: v.nullish(v.boolean('to be true or false'), true),
    });
    const factor = read.factor ?? context / original;
    const { mscale, mscale_all_dim: all } = read;
    const implied = mscale && all ? spread(factor, mscale) / spread(factor, all) : spread(factor);
    return {
      type: 'yarn',
      factor,
      fastTurns: read.beta_fast,
      slowTurns: read.beta_slow,
      wholePairs: read.truncate,
      originalContextLength: original,
      attentionFactor: read.attention_factor ?? implied,
    };
  },

  longrope(fields, { context, original, width }) {
    const factors = v.pipe(
      v.array(positive, LIST),
      v.check((list) => list.length === width / 2, `to be a list of ${width / 2} numbers`),
    );
    const read = readFields(fields, {
      ...ATTENTION_FACTOR,
      factor: v.nullish(positive),
      short_factor: factors,
      long_factor: factors,
    });
    const factor = read.factor ?? context / original;
    const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original));
    return {
      type: 'longrope',
      shortFactors: read.short_factor,
      longFactors: read.long_factor,
      originalContextLength: original,
      attentionFactor: read.attention_factor ?? implied,
    };
  },
};

const isRecord = (value: unknown): value is Json =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const record = (name: string, value: unknown): Json => {
  if (value == null || value === false) return {};
  if (isRecord(value)) return value;
  throw contradiction(`${name} to be an object`, value);
};

/** Fields that mean something only with a type. */
const SCALED = ['factor', 'short_factor', 'long_factor', 'low_freq_factor', 'beta_fast'];

/** Fields of both. Errors: INVALID_ARGUMENT for one that they do not say alike. */
function together(one: Json, other: Json): Json {
  for (const [name, value] of Object.entries(one)) {
    if (value == null || other[name] == null || JSON.stringify(other[name]) === JSON.stringify(value))
      continue;
    throw contradiction(`one ${name} of the rotary embedding`, [value, other[name]]);
  }
  const present = (json: Json) => Object.entries(json).filter(([, value]) => value != null);
  return Object.fromEntries([...present(one), ...present(other)]);
}

/** `type` is the older name of `rope_type`. */
const named = ({ type, ...fields }: Json): Json => together({ rope_type: type }, fields);

/** Fields that stand beside the records in most config.json. */
const BESIDE = ['rope_theta', 'partial_rotary_factor', 'original_max_position_embeddings'];

export interface RopeOptions {
  readonly headSize: number;
  /** Where config.json does not say it. */
  readonly theta?: number | undefined;
}

/** A table from all the fields that are about it. */
function tableOf(fields: Json, json: Json, { headSize, theta: usual = 10000 }: RopeOptions): RotaryTable {
  const read = readFields(fields, {
    rope_theta: v.nullish(positive, usual),
    partial_rotary_factor: v.nullish(positive, 1),
    original_max_position_embeddings: v.nullish(count()),
  });
  const { max_position_embeddings: context } = readFields(json, {
    max_position_embeddings: v.nullish(count(), 2048),
  });
  if (read.partial_rotary_factor > 1)
    throw contradiction('partial_rotary_factor to be at most 1', read.partial_rotary_factor);
  const partial = Math.floor(headSize * read.partial_rotary_factor);
  if (partial === headSize) checkRotaryWidth(headSize);
  // A part of an odd size takes the next channel.
  const width = partial + (partial % 2);
  const { rope_type: type = 'default' } = fields;
  if (fields.rope_type == null && SCALED.some((field) => fields[field] != null))
    throw contradiction('rope_scaling to have a rope_type, where it has a factor', fields);
  if (typeof type !== 'string' || !Object.hasOwn(SCALINGS, type)) {
    const kinds = Object.keys(SCALINGS).filter((kind) => kind !== 'default');
    throw unsupported(`rope_scaling of type ${kinds.map((kind) => `'${kind}'`).join(', ')}`, type);
  }
  const original = read.original_max_position_embeddings ?? context;
  return { theta: read.rope_theta, scaling: SCALINGS[type](fields, { context, original, width }), width };
}

const beside = (json: Json): Json => Object.fromEntries(BESIDE.map((name) => [name, json[name]]));

/**
 * The angles of a decoder whose layers share one table: `rope_scaling` beside `rope_theta`, or the newer `rope_parameters`,
 * which holds both. Errors: UNSUPPORTED (kind), INVALID_ARGUMENT (a field, scaling without a kind, two fields that do not
 * say the same).
 */
export function readRope(json: Json, options: RopeOptions): RotaryTable {
  const newer = record('rope_parameters', json.rope_parameters);
  const nested = Object.entries(newer).find(([, value]) => isRecord(value));
  if (nested !== undefined)
    throw unsupported('one rope_parameters for all layers', { [nested[0]]: nested[1] });
  const older = record('rope_scaling', json.rope_scaling);
  return tableOf(together(beside(json), together(named(older), named(newer))), json, options);
}

/**
 * The tables of each kind of layer: `rope_parameters` of each by its name, or the older `rope_theta` and `rope_scaling` for
 * layers that see all and `rope_local_base_freq` for those of a window. Errors: as `readRope`.
 */
export function readRopes(
  json: Json,
  headSize: number,
  thetas: Readonly<Record<LayerKind, number>>,
): Readonly<Record<LayerKind, RotaryTable>> {
  const newer = record('rope_parameters', json.rope_parameters);
  const flat = Object.keys(newer).find((name) => !LAYER_KINDS.includes(name as LayerKind));
  if (flat !== undefined) throw contradiction(`rope_parameters of ${LAYER_KINDS.join(' and ')}`, newer);
  const older: Readonly<Record<LayerKind, Json>> = {
    full_attention: together(beside(json), named(record('rope_scaling', json.rope_scaling))),
    sliding_attention: { rope_theta: json.rope_local_base_freq },
  };
  const table = (kind: LayerKind): RotaryTable => {
    const own = named(record(`rope_parameters.${kind}`, newer[kind]));
    return tableOf(together(older[kind], own), json, { headSize, theta: thetas[kind] });
  };
  return { full_attention: table('full_attention'), sliding_attention: table('sliding_attention') };
}
