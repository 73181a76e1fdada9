import { newElements, type HostTensor } from '@spikellm/backend';
import type { RopeConfig } from './config.ts';

/**
 * Angular frequency of each channel pair i < D/2, in radians per position: theta^(-2i/D), after scaling.
 *
 * `linear` divides all by the factor. `llama3` divides long wavelengths by the factor, keeps short ones, and blends
 * between the two by the position of the wavelength between `original / high` and `original / low`.
 */
export function ropeFrequencies({ theta, scaling }: RopeConfig, headSize: number): Float64Array {
  const frequencies = Float64Array.from({ length: headSize / 2 }, (_, i) => theta ** ((-2 * i) / headSize));
  if (scaling.type === 'none') return frequencies;
  if (scaling.type === 'linear') return frequencies.map((f) => f / scaling.factor);
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, originalContextLength } = scaling;
  return frequencies.map((f) => {
    const turns = (originalContextLength * f) / (2 * Math.PI);
    const kept = Math.min(1, Math.max(0, (turns - low) / (high - low)));
    return kept * f + ((1 - kept) * f) / factor;
  });
}

/** Tables of cos and sin, each [positions, D/2]. Errors: OUT_OF_MEMORY. */
export function ropeTables(
  rope: RopeConfig,
  headSize: number,
  positions: number,
): { readonly cos: HostTensor; readonly sin: HostTensor } {
  const frequencies = ropeFrequencies(rope, headSize);
  const pairs = frequencies.length;
  const table = (of: (angle: number) => number): HostTensor => {
    const data = newElements('float32', positions * pairs);
    for (let at = 0; at < data.length; at++) data[at] = of(Math.floor(at / pairs) * frequencies[at % pairs]);
    return { type: 'float32', dims: [positions, pairs], data };
  };
  return { cos: table(Math.cos), sin: table(Math.sin) };
}
