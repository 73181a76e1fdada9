import { createReferenceBackend, createRunner, type Backend } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { create, missing } from './adapter.ts';

/** Numbers without a pattern, of very different sizes in one row. */
function rows(N: number, C: number, spread: number): Float32Array {
  let seed = 12345 + C;
  const next = (): number => (seed = Math.imul(seed, 1664525) + 1013904223) / 2 ** 31;
  return Float32Array.from({ length: N * C }, () => next() * 2 ** (next() * spread));
}

/** What is encoded after a norm must be the same number everywhere, so the tolerance of the table is not enough here. */
describe.skipIf(missing !== undefined)('rmsnorm_f32 gives the bits of float64 sums', () => {
  it.each([
    { N: 200, C: 64, spread: 0, H: 1, eps: 1e-5 },
    { N: 100, C: 1000, spread: 3, H: 1, eps: 1e-6 },
    { N: 8, C: 11008, spread: 8, H: 1, eps: 1e-5 },
    { N: 100, C: 7, spread: 40, H: 1, eps: 0.1 },
    { N: 100, C: 5, spread: 1, H: 1, eps: 1e-12 },
    { N: 50, C: 64, spread: 3, H: 4, eps: 1e-6 },
  ])('$N rows of $H times $C, over 2^$spread, eps $eps', async ({ N, C, spread, H, eps }) => {
    using backend = await create();
    using reference = createReferenceBackend();
    const x = rows(N, H * C, spread);
    x.fill(0, C, 2 * C);
    const weight = rows(1, C, 1);
    const compute = async (on: Backend) => {
      using runner = createRunner(on);
      const { y } = runner.run(
        'rmsnorm_f32',
        {
          x: runner.upload({ type: 'float32', data: x, dims: [N, H * C] }),
          weight: runner.upload({ type: 'float32', data: weight, dims: [C] }),
        },
        { eps, H },
      );
      return (await on.read(y)).data as Float32Array;
    };
    expect(await compute(backend)).toEqual(await compute(reference));
  });
});
