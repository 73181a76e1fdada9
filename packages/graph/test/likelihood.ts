/** Mean negative log-likelihood of each next id, in float64, from the logits of the ids before it. */
export function meanLoss(logits: readonly Float32Array[], ids: readonly number[]): number {
  const losses = ids.slice(1).map((id, n) => {
    const row = Float64Array.from(logits[n]);
    const most = row.reduce((a, b) => Math.max(a, b));
    const sum = row.reduce((total, value) => total + Math.exp(value - most), 0);
    return most + Math.log(sum) - row[id];
  });
  return losses.reduce((a, b) => a + b, 0) / losses.length;
}
