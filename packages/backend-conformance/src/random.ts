/** A small generator of reproducible numbers: the same seed text gives the same data on every backend and machine. */
export interface Random {
  /** In [0, 1). */
  uniform(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  pick<T>(values: readonly T[]): T;
  /** Standard normal. */
  normal(): number;
}

export function createRandom(seed: string): Random {
  let state = 2166136261;
  for (const character of seed) state = Math.imul(state ^ character.codePointAt(0)!, 16777619);
  state ||= 1;

  // xorshift of 32 bits (Marsaglia 2003), spread by one multiplication.
  const uniform = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (Math.imul(state, 0x9e3779b1) >>> 0) / 2 ** 32;
  };
  const below = (limit: number): number => Math.floor(uniform() * limit);
  return {
    uniform,
    below,
    pick: (values) => values[below(values.length)],
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}
