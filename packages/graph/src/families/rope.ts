/** Fields of config.json that say how positions become angles. */
import * as v from 'valibot';
import { checkRotaryWidth, type RotaryScaling, type RotaryTable } from '../rotary.ts';
import { contradiction, count, positive, readFields, unsupported, type Json } from './fields.ts';

/** Each kind of scaling, from the fields that it has. */
const SCALINGS: Readonly<Record<string, (fields: Json) => RotaryScaling>> = {
  default: () => ({ type: 'none' }),
  linear: (fields) => ({ type: 'linear', factor: readFields(fields, { factor: positive }).factor }),
  llama3(fields) {
    const read = readFields(fields, {
      factor: positive,
      low_freq_factor: positive,
      high_freq_factor: positive,
      original_max_position_embeddings: count(),
    });
    return {
      type: 'llama3',
      factor: read.factor,
      lowFrequencyFactor: read.low_freq_factor,
      highFrequencyFactor: read.high_freq_factor,
      originalContextLength: read.original_max_position_embeddings,
    };
  },
};

const record = (name: string, value: unknown): Json => {
  if (value == null || value === false) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Json;
  throw contradiction(`${name} to be an object`, value);
};

const typeOf = ({ rope_type: newer, type: older }: Json): unknown => newer ?? older;

/** Fields that mean something only with a type. */
const SCALED = ['factor', 'short_factor', 'long_factor', 'low_freq_factor', 'beta_fast'];

/**
 * The angles of a decoder: `rope_scaling` beside `rope_theta`, or the newer `rope_parameters`, which holds both and decides
 * where the two disagree, as in transformers 5. Errors: UNSUPPORTED (kind), INVALID_ARGUMENT (a field, scaling without a kind).
 */
export function readRope(json: Json, width: number): RotaryTable {
  checkRotaryWidth(width);
  const parameters = record('rope_parameters', json.rope_parameters);
  const older = record('rope_scaling', json.rope_scaling);
  const nested = Object.entries(parameters).find(
    ([, value]) => typeof value === 'object' && value !== null && !Array.isArray(value),
  );
  if (nested !== undefined)
    throw unsupported('one rope_parameters for all layers', { [nested[0]]: nested[1] });
  const scaling: Json = { ...older, ...parameters };
  const { rope_theta: theta } = readFields(
    { rope_theta: parameters.rope_theta ?? json.rope_theta },
    { rope_theta: v.nullish(positive, 10000) },
  );
  const type = typeOf(parameters) ?? typeOf(older);
  if (type == null && SCALED.some((field) => scaling[field] != null))
    throw contradiction('rope_scaling to have a rope_type, where it has a factor', scaling);
  const name = typeof type === 'string' ? type : type == null ? 'default' : JSON.stringify(type);
  const known = Object.keys(SCALINGS);
  if (!known.includes(name)) {
    const kinds = known.filter((kind) => kind !== 'default').map((kind) => `'${kind}'`);
    throw unsupported(`rope_scaling of type ${kinds.join(' or ')}`, type);
  }
  return { theta, scaling: SCALINGS[name](scaling), width };
}
