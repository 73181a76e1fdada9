// Alternating rounds: every figure of one side stands beside one of the other, taken seconds before or after.
import { spreadOf } from '@spikellm/benchmark';

/**
 * Measures sides in turn, one round to warm up and then `rounds` that count.
 *
 * @param sides - by name, functions that measure once; one that is null is left out
 * @returns by name, the values of the rounds, or null
 */
export async function alternate(rounds, sides) {
  const values = Object.fromEntries(Object.entries(sides).map(([name, measure]) => [name, measure && []]));
  for (let round = -1; round < rounds; round++) {
    for (const [name, measure] of Object.entries(sides)) {
      const value = await measure?.();
      if (measure && round >= 0) values[name].push(value);
    }
  }
  return values;
}

/** Spread of the rounds' own ratios, null where a side is missing. */
export const ratioOf = (ours, theirs) =>
  ours && theirs && spreadOf(ours.map((value, round) => value / theirs[round]));

export const spreadOrNull = (values) => values && spreadOf(values);
