/** One score per channel for linears that share their input and shall share one encoding: the sum of theirs. */
export function sumScores(all: readonly ArrayLike<number>[]): Float64Array {
  const total = new Float64Array(all[0].length);
  for (const scores of all)
    for (let channel = 0; channel < total.length; channel++) total[channel] += scores[channel];
  return total;
}

/**
 * Scores of cached channels from those of the repeated heads: the sum over the query heads that read a key/value head.
 *
 * @param scores - [H D], query heads in order
 * @returns [K D]
 */
export function sumQueryGroups(scores: ArrayLike<number>, heads: number, kvHeads: number): Float64Array {
  const headSize = scores.length / heads;
  const total = new Float64Array(kvHeads * headSize);
  for (let i = 0; i < scores.length; i++) {
    const kvHead = Math.floor((Math.floor(i / headSize) * kvHeads) / heads);
    total[kvHead * headSize + (i % headSize)] += scores[i];
  }
  return total;
}
