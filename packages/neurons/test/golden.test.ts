/** The activation quantiser of the published research code, run in float32 and written with 7 decimals. */
import { readGolden } from '@spikellm/golden';
import { expect, it } from 'vitest';
import { decode, encode, gifParameters } from '../src/index.ts';

/** One in the last decimal of the file, and one float32 rounding. */
const near = (got: number, want: number) =>
  expect(Math.abs(got - want)).toBeLessThanOrEqual(1e-7 + 2 ** -23 * Math.abs(want));

it.each(readGolden('kernels').activation_quantizer)('$bits bits, x of $x.shape', (golden) => {
  const [rows, channels] = golden.x.shape;
  for (let row = 0; row < rows; row++) {
    const x = golden.x.data.slice(row * channels, (row + 1) * channels);
    const { bits } = golden;
    const parameters = gifParameters(Math.min(...x), Math.max(...x), { bits, range: 'saturating' });
    near(parameters.scale, golden.scale.data[row]);
    expect(parameters.zeroPoint === golden.zero_point.data[row]).toBe(true); // the file has -0
    x.forEach((value, c) => {
      const decoded = decode(encode(value, parameters), parameters);
      near(decoded, golden.dequantized.data[row * channels + c]);
    });
  }
});
