/** Rotary tables: how positions become angles. */
import { newElements, SpikeError, type HostTensor } from '@spikellm/backend';

/**
 * How frequencies are changed for contexts longer than those of training. `dynamic` and `longrope` depend on how long a text
 * gets in all; `attentionFactor` multiplies cos and sin.
 */
export type RotaryScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | { readonly type: 'dynamic'; readonly factor: number; readonly originalContextLength: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    }
  | {
      readonly type: 'yarn';
      readonly factor: number;
      /** Turns over the original context from which on frequencies stay, and below which they are divided. */
      readonly fastTurns: number;
      readonly slowTurns: number;
      /** Whether the blend begins and ends at whole pairs. */
      readonly wholePairs: boolean;
      readonly originalContextLength: number;
      readonly attentionFactor: number;
    }
  | {
      readonly type: 'longrope';
      /** Divisors of the frequencies of texts within the original context, and beyond. */
      readonly shortFactors: readonly number[];
      readonly longFactors: readonly number[];
      readonly originalContextLength: number;
      readonly attentionFactor: number;
    };

/** A table of angles, for heads of which the first `width` channels are rotated. */
export interface RotaryTable {
  readonly theta: number;
  readonly scaling: RotaryScaling;
  /** Channels of a head that are rotated, an even number. */
  readonly width: number;
}

type Scaling<Type extends RotaryScaling['type']> = Extract<RotaryScaling, { type: Type }>;

/** Frequencies of a kind of scaling, from the plain ones. */
type Scale<Type extends RotaryScaling['type']> = (
  plain: Float64Array,
  scaling: Scaling<Type>,
  table: RotaryTable,
  context: number,
) => Float64Array;

const SCALES: { readonly [Type in RotaryScaling['type']]: Scale<Type> } = {
  none: (plain) => plain,
  linear: (plain, { factor }) => plain.map((f) => f / factor),

  dynamic(_, { factor, originalContextLength: original }, { theta, width }, context) {
    const stretch = (factor * Math.max(context, original)) / original - (factor - 1);
    return plainFrequencies(theta * stretch ** (width / (width - 2)), width);
  },

  llama3(plain, { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength }) {
    return plain.map((f) => {
      const turns = (originalContextLength * f) / (2 * Math.PI);
      const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
      return kept * f + ((1 - kept) * f) / factor;
    });
  },

  yarn(plain, { factor, fastTurns, slowTurns, wholePairs, originalContextLength }, { theta, width }) {
    /** The pair, with a fraction, that makes so many turns over the original context. */
    const pairOf = (turns: number): number =>
      (width * Math.log(originalContextLength / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
    const [fast, slow] = [pairOf(fastTurns), pairOf(slowTurns)];
    const from = Math.max(0, wholePairs ? Math.floor(fast) : fast);
    const to = Math.min(width - 1, wholePairs ? Math.ceil(slow) : slow);
    return plain.map((f, i) => {
      const divided = Math.min(1, Math.max(0, (i - from) / (to === from ? LEAST_BLEND : to - from)));
      return (1 - divided) * f + (divided * f) / factor;
    });
  },

  longrope(plain, { shortFactors, longFactors, originalContextLength }, _, context) {
    const factors = context > originalContextLength ? longFactors : shortFactors;
    return plain.map((f, i) => f / factors[i]);
  },
};

/** Pairs over which a blend goes that begins where it ends. */
const LEAST_BLEND = 0.001;

const plainFrequencies = (theta: number, width: number): Float64Array =>
  Float64Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));

/**
 * Angular frequency of each channel pair i < width/2, in radians per position: theta^(-2i/width), after scaling.
 *
 * `linear` divides all by the factor. `llama3` divides long wavelengths by the factor, keeps short ones, and blends
 * between the two by the position of the wavelength between `original / high` and `original / low`. `yarn` (arXiv
 * 2309.00071) does the same over a range of pairs. `dynamic` takes another theta, the larger the longer the text;
 * `longrope` (arXiv 2402.13753) divides each frequency by a factor of its own.
 *
 * @param context - positions that a text may have in all; only `dynamic` and `longrope` ask for it
 */
export function rotaryFrequencies(table: RotaryTable, context = 0): Float64Array {
  const plain = plainFrequencies(table.theta, table.width);
  const scale = SCALES[table.scaling.type] as Scale<RotaryScaling['type']>;
  return scale(plain, table.scaling, table, context);
}

/** Whether angles fit themselves to texts of any length, beyond the context of training too. */
export const fitsAnyLength = ({ scaling }: RotaryTable): boolean => scaling.type === 'dynamic';

/**
 * cos and sin of the angles, times the attention factor, each [positions, width/2]. Errors: OUT_OF_MEMORY.
 *
 * @param context - positions that the text may have in all; `positions` where it is not given
 */
export function rotaryAngles(
  table: RotaryTable,
  positions: number,
  context = positions,
): { readonly cos: HostTensor; readonly sin: HostTensor } {
  const frequencies = rotaryFrequencies(table, context);
  const factor = 'attentionFactor' in table.scaling ? table.scaling.attentionFactor : 1;
  const pairs = frequencies.length;
  const angles = (of: (angle: number) => number): HostTensor => {
    const data = newElements('float32', positions * pairs);
    for (let at = 0; at < data.length; at++)
      data[at] = factor * of(Math.floor(at / pairs) * frequencies[at % pairs]);
    return { type: 'float32', dims: [positions, pairs], data };
  };
  return { cos: angles(Math.cos), sin: angles(Math.sin) };
}

/** Errors: INVALID_ARGUMENT for a width that has no pairs. */
export function checkRotaryWidth(width: number): void {
  if (width % 2 === 0) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'config.json',
    expected: 'an even head size',
    received: String(width),
  });
}
