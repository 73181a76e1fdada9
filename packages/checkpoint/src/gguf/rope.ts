import { unsupported } from './errors.ts';
import type { ModelFacts } from './facts.ts';

type Json = Record<string, unknown>;

/** What config.json has as `rope_parameters`. Errors: UNSUPPORTED (a kind of scaling), MISSING, CORRUPT_FILE. */
export function ropeParameters(facts: ModelFacts, headSize: number): Json {
  const { metadata } = facts;
  const theta = metadata.has('.rope.freq_base') ? metadata.number('.rope.freq_base') : 10_000;
  return { rope_theta: theta, ...scaling(facts, theta, headSize) };
}

/** A tensor of factors by which rotations slow down; of scaling that the metadata does not spell out. */
const FACTORS = 'rope_freqs.weight';
const LONG = 'rope_factors_long.weight';
const SHORT = 'rope_factors_short.weight';

/** Small tensors that say how positions are scaled; they are read when the file is opened. */
export const ROPE_TENSORS: readonly string[] = [FACTORS, LONG, SHORT];

function scaling(facts: ModelFacts, theta: number, headSize: number): Json {
  const { metadata, values } = facts;
  const [factors, long, short] = ROPE_TENSORS.map((name) => values.get(name));
  if (factors !== undefined) return llama3(metadata.path, factors, theta, headSize);
  const original = '.rope.scaling.original_context_length';
  if (long !== undefined && short !== undefined) {
    const from = { original_max_position_embeddings: metadata.count(original) };
    return { rope_type: 'longrope', long_factor: [...long], short_factor: [...short], ...from };
  }
  const type = metadata.has('.rope.scaling.type') ? metadata.text('.rope.scaling.type') : undefined;
  const legacy = metadata.has('.rope.scale_linear') ? metadata.number('.rope.scale_linear') : 1;
  if (type === undefined || type === 'none') {
    return legacy === 1 ? { rope_type: 'default' } : { rope_type: 'linear', factor: legacy };
  }
  const factor = metadata.number('.rope.scaling.factor');
  if (type === 'linear') return { rope_type: 'linear', factor };
  if (type === 'yarn') {
    const optional = YARN_KEYS.filter(([key]) => metadata.has(key));
    return {
      rope_type: 'yarn',
      factor,
      original_max_position_embeddings: metadata.count(original),
      ...Object.fromEntries(optional.map(([key, field]) => [field, metadata.number(key)])),
      ...attention(facts, factor),
    };
  }
  const expected = "rope.scaling.type 'none', 'linear', 'yarn' or 'longrope' with its factors";
  throw unsupported(metadata.path, expected, `'${type}'`, 'such a model cannot be read yet');
}

const YARN_KEYS = [
  ['.rope.scaling.yarn_beta_fast', 'beta_fast'],
  ['.rope.scaling.yarn_beta_slow', 'beta_slow'],
] as const;

/** The file's factor comes on top of the one that follows from the scaling; the config's stands for both. */
function attention({ metadata }: ModelFacts, factor: number): Json {
  const key = '.rope.scaling.attn_factor';
  const own = metadata.has(key) ? metadata.number(key) : 1;
  return own === 1 ? {} : { attention_factor: own * (0.1 * Math.log(factor) + 1) };
}

/** What LLaMA 3 scales: nothing of fewer positions a turn than the context over HIGH, all of more than it over LOW. */
const LOW = 1;
const HIGH = 4;
const TOLERANCE = 1e-4;

/**
 * The settings of llama3 scaling, found again from the factors of all frequencies, which is what converters leave of
 * them. The thresholds of all published models are 1 and 4; the original context follows from a factor in between them.
 * Errors: UNSUPPORTED for factors of other origin.
 */
function llama3(path: string, factors: Float32Array, theta: number, headSize: number): Json {
  const wavelength = (i: number): number => 2 * Math.PI * theta ** ((2 * i) / headSize);
  const factor = Math.round(Math.max(...factors) * 1e4) / 1e4;
  const context = originalContext(factors, factor, wavelength);
  const isExplained = factors.every((found, i) => {
    const turns = context / wavelength(i);
    const smooth = Math.min(1, Math.max(0, (turns - LOW) / (HIGH - LOW)));
    return Math.abs(found * ((1 - smooth) / factor + smooth) - 1) < TOLERANCE;
  });
  if (!isExplained || factors.length !== headSize / 2) {
    const expected = `${headSize / 2} factors of llama3 scaling with thresholds ${LOW} and ${HIGH}`;
    throw unsupported(`${path}: tensor ${FACTORS}`, expected, 'others', 'such a model cannot be read yet');
  }
  return {
    rope_type: 'llama3',
    factor,
    low_freq_factor: LOW,
    high_freq_factor: HIGH,
    original_max_position_embeddings: context,
  };
}

function originalContext(factors: Float32Array, factor: number, wavelength: (i: number) => number): number {
  const between = factors.findIndex((found) => found > 1 + TOLERANCE && found < factor * (1 - TOLERANCE));
  if (between !== -1) {
    const smooth = (1 / factors[between] - 1 / factor) / (1 - 1 / factor);
    return Math.round(wavelength(between) * (LOW + smooth * (HIGH - LOW)));
  }
  // Any context between the last frequency that is left alone and the first that is scaled in full means the same.
  const scaled = factors.findIndex((found) => found > 1 + TOLERANCE);
  if (scaled < 1) return Math.round(wavelength(scaled === -1 ? factors.length - 1 : 0) * HIGH);
  return Math.round(Math.sqrt(HIGH * wavelength(scaled - 1) * LOW * wavelength(scaled)));
}
