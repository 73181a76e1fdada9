/** What a tape owns and when it frees it, and what it refuses. */
import { createReferenceBackend, createRunner, SpikeError, type Backend } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { describe, expect, it } from 'vitest';
import { createTape, createWorkspace } from '../src/index.ts';

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

/** The backend, and how many tensors were allocated on it since the last call of `count`. */
function counted(backend: Backend): { backend: Backend; count: () => number } {
  let allocated = 0;
  const allocate: Backend['allocate'] = (type, dims) => {
    allocated += 1;
    return backend.allocate(type, dims);
  };
  const counting = new Proxy(backend, {
    get: (target, name): unknown => (name === 'allocate' ? allocate : Reflect.get(target, name)),
  });
  const count = (): number => {
    const since = allocated;
    allocated = 0;
    return since;
  };
  return { backend: counting, count };
}

describe.each([
  ['reference', createReferenceBackend],
  ['cpu', () => createCpuBackend({ threads: 2 })],
])('on %s', (_, createBackend) => {
  it('allocates nothing after the first step, and frees all with the workspace', async () => {
    using own = createBackend();
    const { backend, count } = counted(own);
    const runner = createRunner(backend);
    const x = runner.upload(float([1, 2, 3, 4, 5, 6], 2, 3));
    const weight = runner.upload(float([1, -1, 0.5, 0, 2, 1], 2, 3));
    const target = runner.upload(float([0, 1, 1, 0], 2, 2));
    const before = backend.liveBytes;
    const workspace = createWorkspace(runner);
    const alive: number[] = [];
    for (let step = 0; step < 3; step++) {
      {
        using tape = createTape(workspace);
        const w = tape.parameter(weight);
        const y = tape.add(tape.linear(tape.constant(x), w), tape.linear(tape.constant(x), w));
        const gradient = tape.backward(tape.squaredError(y, target)).get(w)!;
        expect(await valuesOf(backend, gradient)).toEqual([13, 17, 21, 141, 186, 231]);
      }
      alive.push(backend.liveBytes);
      expect(count() > 0).toBe(step === 0);
    }
    expect(alive).toEqual([alive[0], alive[0], alive[0]]);
    workspace.dispose();
    expect(backend.liveBytes).toBe(before);
  });

  it('uses again within a pass what the pass has read', async () => {
    using own = createBackend();
    const { backend, count } = counted(own);
    const runner = createRunner(backend);
    using tape = createTape(createWorkspace(runner));
    const x = tape.parameter(float([1, -2, 3, 4], 2, 2));
    let y = x;
    for (let depth = 0; depth < 20; depth++) y = tape.activation(y, 'relu');
    expect(count()).toBe(20);
    // The seed, then two gradients in turn; the last value is read by nobody and is the first of them.
    const gradient = tape.backwardFrom(y, float([5, 6, 7, 8], 2, 2)).get(x)!;
    expect(await valuesOf(backend, gradient)).toEqual([5, 0, 7, 8]);
    expect(count()).toBeLessThanOrEqual(2);
  });

  it('takes nothing for a call that a kernel refuses', () => {
    using backend = createBackend();
    const runner = createRunner(backend);
    const workspace = createWorkspace(runner);
    using tape = createTape(workspace);
    const [a, b] = [float([1, 2], 1, 2), float([1, 2], 2, 1)].map((x) => tape.parameter(x));
    expect(sentenceOf(() => tape.add(a, b))).toBe('SHAPE add_f32: expected b of [1, 2], received [2, 1].');
    tape.dispose();
    workspace.dispose();
    expect(backend.liveBytes).toBe(0);
  });
});

describe('a tape', () => {
  const backend = createReferenceBackend();
  const runner = createRunner(backend);
  const workspace = createWorkspace(runner);
  const x = runner.upload(float([1, 2], 1, 2));
  const target = runner.upload(float([0, 0], 1, 2));

  it('computes no gradient of what is constant, and keeps nothing for it', () => {
    using tape = createTape(workspace);
    const y = tape.add(tape.constant(x), tape.constant(x));
    expect(y.requiresGrad).toBe(false);
    expect(sentenceOf(() => tape.backward(tape.squaredError(y, target)))).toBe(
      'INVALID_ARGUMENT backward: expected values that this tape computed from a parameter, each once, and one pass, received a constant.',
    );
  });

  it('goes on from a given gradient, also to a value that a zero was added to', async () => {
    using tape = createTape(workspace);
    const p = tape.parameter(x);
    const zero = tape.parameter(target);
    const doubled = tape.add(tape.add(p, p), zero);
    const gradients = tape.backwardFrom(tape.activation(doubled, 'relu'), float([3, -5], 1, 2));
    expect(await valuesOf(backend, gradients.get(zero)!)).toEqual([3, -5]);
    expect(await valuesOf(backend, gradients.get(p)!)).toEqual([6, -10]);
    expect(gradients.size).toBe(2);
  });

  it('adds the gradients of several losses', async () => {
    using tape = createTape(workspace);
    const p = tape.parameter(x);
    const losses = [tape.squaredError(p, target), tape.squaredError(tape.add(p, p), target)];
    expect(await valuesOf(backend, tape.backward(...losses).get(p)!)).toEqual([1 + 4, 2 + 8]);
  });

  it('refuses a second pass and a loss given twice', () => {
    using tape = createTape(workspace);
    const loss = tape.squaredError(tape.parameter(x), target);
    expect(sentenceOf(() => tape.backward(loss, loss))).toMatch(/received one given twice/);
    using other = createTape(workspace);
    const once = other.squaredError(other.parameter(x), target);
    other.backward(once);
    expect(sentenceOf(() => other.backward(once))).toMatch(/or after its pass\.$/);
  });

  it('refuses a gradient of another shape', () => {
    using tape = createTape(workspace);
    const y = tape.add(tape.parameter(x), tape.constant(x));
    expect(sentenceOf(() => tape.backwardFrom(y, float([1, 2], 2, 1)))).toBe(
      'SHAPE backwardFrom: expected a gradient of [1, 2], received [2, 1].',
    );
  });
});
