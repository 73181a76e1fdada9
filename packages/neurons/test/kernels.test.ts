/** The kernels of the backends compute on what the neurons of this package mean. */
import {
  createReferenceBackend,
  createRunner,
  packTrits,
  unpackCodes,
  type GifRange,
} from '@spikellm/backend';
import { expect, it } from 'vitest';
import { encode, gifNeuron, gifParameters, gifSequence, unrollTernary } from '../src/index.ts';
import { uniform } from './random.ts';

const CLASSES = [1, 2, 4];

it.each<[number, GifRange]>([
  [2, 'lossless'],
  [4, 'lossless'],
  [4, 'saturating'],
  [8, 'lossless'],
])('gif_encode_f32 with %i bits and the %s range', async (bits, range) => {
  const next = uniform(bits);
  const rows = 6;
  const steps = Uint8Array.from({ length: 24 }, (_, c) => CLASSES[Math.floor(c / 8)]);
  const x = Float32Array.from({ length: rows * steps.length }, () => 8 * next() - 3);
  x.fill(-0.3, 0, steps.length); // a constant row
  x.fill(0, steps.length, 2 * steps.length); // and one of zeros

  using backend = createReferenceBackend();
  using runner = createRunner(backend);
  const kernel = runner.prepare(
    'gif_encode_f32',
    { bits, range, classes: CLASSES },
    { steps: { type: 'uint8', data: steps, dims: [steps.length] } },
  );
  const input = runner.upload({ type: 'float32', data: x, dims: [rows, steps.length] });
  const encoded = runner.apply(kernel, { x: input });
  const codes = (await backend.read(encoded.codes)).data;
  const scales = (await backend.read(encoded.scale)).data;
  const zeros = (await backend.read(encoded.zero)).data;

  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * steps.length, (row + 1) * steps.length);
    CLASSES.forEach((T, s) => {
      const options = { bits, steps: T, range };
      const parameters = gifParameters(Math.min(...values), Math.max(...values), options);
      expect(scales[row * CLASSES.length + s]).toBe(parameters.scale);
      expect(zeros[row * CLASSES.length + s]).toBe(parameters.zeroPoint);
      for (let c = 8 * s; c < 8 * (s + 1); c++) {
        const code = codes[row * steps.length + c] as number;
        expect(code).toBe(encode(values[c], parameters));
        if (range === 'saturating') continue;
        // What the kernel stores is what a GIF neuron of T steps says.
        const { spikes } = gifSequence([code, ...Array(T - 1).fill(0)], gifNeuron({ levels: 2 ** bits - 1 }));
        expect(spikes.reduce((sum, fired) => sum + fired, 0)).toBe(code);
      }
    });
  }
});

it.each([1, 2, 3, 7])('packed trits of a weight with %i steps are the spikes of its neuron', (T) => {
  const weights = Int8Array.from({ length: 2 * T + 1 }, (_, i) => i - T);
  const planes = unpackCodes(packTrits(weights, weights.length, [T]), weights.length, T, 2);
  expect(Array.from(planes, (trit) => trit - 1)).toEqual(
    Array.from(weights).flatMap((k) => unrollTernary(k, T)),
  );
});
