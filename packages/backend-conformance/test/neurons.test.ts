/** gif_encode_f32 against the neurons: the same scale, zero point and codes, and spikes that sum to the code. */
import { createReferenceBackend, type ElementArray } from '@spikellm/backend';
import { count, encode, gifParameters, residual, unroll } from '@spikellm/neurons';
import { expect, it } from 'vitest';
import { casesOfKernel } from '../src/check.ts';
import { fill, run } from '../src/run.ts';

interface Gif {
  readonly bits: number;
  readonly range: 'lossless' | 'saturating';
  readonly classes: readonly number[];
}

it.each(casesOfKernel('gif_encode_f32').map((one) => [one.title, one] as const))('%s', async (_, one) => {
  using backend = createReferenceBackend();
  const filled = fill(one);
  const { N, C, S } = filled.dims;
  const { bits, range, classes } = one.attributes as Gif;
  const got = await run(backend, filled);
  const steps = Array.from(filled.operands.steps.data);
  const order = classes.flatMap((T) => steps.flatMap((own, channel) => (own === T ? [channel] : [])));

  expect(got.codes).toHaveLength(N * C);
  for (let n = 0; n < N; n++) {
    const row = (values: ElementArray, width: number): number[] =>
      Array.from(values.slice(n * width, (n + 1) * width));
    const x = row(filled.operands.x.data, C);
    const parameters = classes.map((T) =>
      gifParameters(Math.min(...x), Math.max(...x), { bits, steps: T, range }),
    );
    expect(row(got.scale, S)).toEqual(parameters.map(({ scale }) => scale));
    expect(row(got.zero, S)).toEqual(parameters.map(({ zeroPoint }) => zeroPoint));
    const codes = row(got.codes, C);
    expect(codes).toEqual(
      order.map((channel) => encode(x[channel], parameters[classes.indexOf(steps[channel])])),
    );
    const levels = 2 ** bits - 1;
    const spikes = codes.map((code, i) => unroll(code, steps[order[i]], levels));
    const lost = codes.map((code, i) => residual(code, steps[order[i]], levels));
    expect(spikes.map((train, i) => count(train) + lost[i])).toEqual(codes);
    expect(range === 'saturating' || lost.every((charge) => charge === 0)).toBe(true);
  }
});
