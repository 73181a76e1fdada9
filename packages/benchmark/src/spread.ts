/** A figure that was measured several times. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** Median and extremes of the rounds, at least one. */
export function spreadOf(rounds: readonly number[]): Spread {
  const sorted = rounds.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return {
    median: (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2,
    min: sorted[0],
    max: sorted[sorted.length - 1],
  };
}

/** Runs `round` once to warm up and then `rounds` times, which count. */
export async function spreadOfRounds(
  rounds: number,
  round: () => Promise<number>,
  signal?: AbortSignal,
): Promise<Spread> {
  const values: number[] = [];
  for (let done = -1; done < rounds; done++) {
    signal?.throwIfAborted();
    const value = await round();
    if (done >= 0) values.push(value);
  }
  return spreadOf(values);
}
