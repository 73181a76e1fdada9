import { createRunner } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { create, missing } from './adapter.ts';

const RUNS = 200;

describe.skipIf(missing !== undefined)('an abort', () => {
  it('stops within the batches that the GPU already has', async () => {
    using backend = await create();
    using runner = createRunner(backend);
    const C = 2 ** 19;
    const upload = (...dims: number[]) =>
      runner.upload({ type: 'float32', data: new Float32Array(C).fill(1), dims });
    const [a, b, sum] = [upload(1, C), upload(1, C), upload(C)];
    const add = runner.prepare('column_dot_f32', {}, {});
    const stop = new AbortController();
    backend.abortable(stop.signal, () => {
      for (let i = 0; i < RUNS; i++) backend.dispatch(add, { a, b, sum }, {});
    });
    const pending = backend.read(sum, { signal: stop.signal });
    stop.abort(new Error('enough'));
    await expect(pending).rejects.toThrow('enough');
    const done = ((await backend.read(sum)).data as Float32Array)[0] - 1;
    // Four batches of 2^21 invocations.
    expect(done).toBeLessThanOrEqual((4 * 2 ** 21) / C);
    // What is dispatched afterwards runs.
    backend.dispatch(add, { a, b, sum }, {});
    expect(((await backend.read(sum)).data as Float32Array)[0]).toBe(done + 2);
  });
});
