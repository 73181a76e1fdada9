/** Rotary tables: how positions become angles. */
import { newElements, SpikeError, type HostTensor } from '@spikellm/backend';

/** How frequencies are changed for contexts longer than those of training. */
export type RotaryScaling =
  | { readonly type: 'none' }
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly originalContextLength: number;
    };

/** A table of angles, for heads of which the first `width` channels are rotated. */
export interface RotaryTable {
  readonly theta: number;
  readonly scaling: RotaryScaling;
  /** Channels of a head that are rotated, an even number. */
  readonly width: number;
}

/**
 * Angular frequency of each channel pair i < width/2, in radians per position: theta^(-2i/width), after scaling.
 *
 * `linear` divides all by the factor. `llama3` divides long wavelengths by the factor, keeps short ones, and blends
 * between the two by the position of the wavelength between `original / high` and `original / low`.
 */
export function rotaryFrequencies({ theta, scaling, width }: RotaryTable): Float64Array {
  const frequencies = Float64Array.from({ length: width / 2 }, (_, i) => theta ** ((-2 * i) / width));
  if (scaling.type === 'none') return frequencies;
  if (scaling.type === 'linear') return frequencies.map((f) => f / scaling.factor);
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength } = scaling;
  return frequencies.map((f) => {
    const turns = (originalContextLength * f) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * f + ((1 - kept) * f) / factor;
  });
}

/** cos and sin of the angles, each [positions, width/2]. Errors: OUT_OF_MEMORY. */
export function rotaryAngles(
  table: RotaryTable,
  positions: number,
): { readonly cos: HostTensor; readonly sin: HostTensor } {
  const frequencies = rotaryFrequencies(table);
  const pairs = frequencies.length;
  const angles = (of: (angle: number) => number): HostTensor => {
    const data = newElements('float32', positions * pairs);
    for (let at = 0; at < data.length; at++) data[at] = of(Math.floor(at / pairs) * frequencies[at % pairs]);
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
