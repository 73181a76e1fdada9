/** What a tape owns and when it frees it, and what it refuses. */
import { createReferenceBackend, createRunner, SpikeError, type Backend } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { readGolden } from '@spikellm/golden';
import { describe, expect, it } from 'vitest';
import { createTape } from '../src/index.ts';
import { createLayer, trainedParameters } from './layer.ts';

const float = (data: readonly number[], ...dims: number[]) => ({
  type: 'float32',
  data: Float32Array.from(data),
  dims,
});
const valuesOf = async (backend: Backend, tensor: Parameters<Backend['read']>[0]) =>
  Array.from((await backend.read(tensor)).data as Float32Array);
const sentenceOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof SpikeError) return `${error.code} ${error.message}`;
    throw error;
  }
  return 'no error';
};

/** The backend, and the most bytes that were alive after any allocation since the last reset. */
function watched(backend: Backend): { backend: Backend; peak: () => number; reset: () => void } {
  let most = 0;
  const allocate: Backend['allocate'] = (type, dims) => {
    const tensor = backend.allocate(type, dims);
    most = Math.max(most, backend.liveBytes);
    return tensor;
  };
  const proxy = new Proxy(backend, {
    get: (target, name) => (name === 'allocate' ? allocate : Reflect.get(target, name)),
  });
  return { backend: proxy, peak: () => most, reset: () => (most = 0) };
}

describe.each([
  ['reference', createReferenceBackend],
  ['cpu', () => createCpuBackend({ threads: 2 })],
])('on %s', (_, createBackend) => {
  it('keeps nothing between steps, and a second step needs no more than the first', async () => {
    using own = createBackend();
    const { backend, peak, reset } = watched(own);
    const runner = createRunner(backend);
    const x = runner.upload(float([1, 2, 3, 4, 5, 6], 2, 3));
    const weight = runner.upload(float([1, -1, 0.5, 0, 2, 1], 2, 3));
    const target = runner.upload(float([0, 1, 1, 0], 2, 2));
    const peaks: number[] = [];
    const alive: number[] = [];
    for (let step = 0; step < 3; step++) {
      reset();
      {
        using tape = createTape(runner);
        const w = tape.parameter(weight);
        const y = tape.add(tape.linear(tape.constant(x), w), tape.linear(tape.constant(x), w));
        const gradient = tape.backward(tape.squaredError(y, target)).get(w)!;
        expect(await valuesOf(backend, gradient)).toEqual([13, 17, 21, 141, 186, 231]);
      }
      peaks.push(peak());
      alive.push(backend.liveBytes);
    }
    expect(alive).toEqual([alive[0], alive[0], alive[0]]);
    expect(peaks).toEqual([peaks[0], peaks[0], peaks[0]]);
  });

  it('frees what the backward pass has read', async () => {
    using backend = createBackend();
    const runner = createRunner(backend);
    const golden = readGolden('omniquant_layer').cases[1];
    const parameters = trainedParameters(golden);
    const step = createLayer(runner, golden)(0, parameters);
    using tape = step.tape;
    const before = backend.liveBytes;
    const gradients = tape.backward(...step.losses);
    const bytesOf = (values: Iterable<{ readonly dims: readonly number[] }>): number =>
      [...values].reduce((sum, { dims }) => sum + 4 * dims.reduce((a, b) => a * b, 1), 0);
    const kept = bytesOf(gradients.values()) + bytesOf(step.losses.map(({ tensor }) => tensor));
    tape.dispose();
    expect(before - backend.liveBytes).toBeGreaterThan(kept);
    await backend.synchronize();
  });
});

describe('a tape', () => {
  const backend = createReferenceBackend();
  const runner = createRunner(backend);
  const x = runner.upload(float([1, 2], 1, 2));
  const target = runner.upload(float([0, 0], 1, 2));

  it('computes no gradient of what is constant, and keeps nothing for it', () => {
    using tape = createTape(runner);
    const y = tape.add(tape.constant(x), tape.constant(x));
    expect(y.requiresGrad).toBe(false);
    expect(sentenceOf(() => tape.backward(tape.squaredError(y, target)))).toBe(
      'INVALID_ARGUMENT backward: expected values that this tape computed from a parameter, each once, and one pass, received a constant.',
    );
  });

  it('gives the gradients of watched values, and goes on from a given gradient', async () => {
    using tape = createTape(runner);
    const p = tape.parameter(x);
    const doubled = tape.watch(tape.add(p, p));
    const y = tape.activation(doubled, 'relu');
    const gradients = tape.backwardFrom(y, float([3, -5], 1, 2));
    expect(await valuesOf(backend, gradients.get(doubled)!)).toEqual([3, -5]);
    expect(await valuesOf(backend, gradients.get(p)!)).toEqual([6, -10]);
    expect(gradients.size).toBe(2);
  });

  it('adds the gradients of several losses', async () => {
    using tape = createTape(runner);
    const p = tape.parameter(x);
    const losses = [tape.squaredError(p, target), tape.squaredError(tape.add(p, p), target)];
    expect(await valuesOf(backend, tape.backward(...losses).get(p)!)).toEqual([1 + 4, 2 + 8]);
  });

  it('refuses a second pass and a loss given twice', () => {
    using tape = createTape(runner);
    const loss = tape.squaredError(tape.parameter(x), target);
    expect(sentenceOf(() => tape.backward(loss, loss))).toMatch(/received one given twice/);
    using other = createTape(runner);
    const once = other.squaredError(other.parameter(x), target);
    other.backward(once);
    expect(sentenceOf(() => other.backward(once))).toMatch(/or after its pass\.$/);
  });

  it('refuses a gradient of another shape', () => {
    using tape = createTape(runner);
    const y = tape.add(tape.parameter(x), tape.constant(x));
    expect(sentenceOf(() => tape.backwardFrom(y, float([1, 2], 2, 1)))).toBe(
      'SHAPE backwardFrom: expected a gradient of [1, 2], received [2, 1].',
    );
  });
});
