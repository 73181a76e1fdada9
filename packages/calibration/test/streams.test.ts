import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createStream } from '../src/streams.ts';

const dims = [3, 5] as const;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spikellm-streams-'));
});
afterEach(() => rm(folder, { recursive: true }));

describe('activation stream', () => {
  it.each([0, 2, 4])('gives back what was set last, with %d of 4 windows resident', async (resident) => {
    using backend = createReferenceBackend();
    await using stream = await createStream({ backend, dims, resident, folder, name: 'x' });
    const activations = (seed: number) => Float32Array.from({ length: 15 }, (_, i) => seed + i / 7);
    for (const round of [0, 100]) {
      for (const window of [0, 1, 2, 3]) {
        const data = activations(round + window);
        await stream.set(window, backend.upload({ type: 'float32', dims, data }));
      }
    }
    for (const window of [3, 0, 2, 1]) {
      const data = await stream.use(window, async (x) => (await backend.read(x)).data);
      expect(data).toEqual(activations(100 + window));
    }
    expect(backend.liveBytes).toBe(resident * 15 * 4);
    expect(await readdir(folder)).toHaveLength(resident < 4 ? 1 : 0);
  });

  it('leaves neither memory nor a file behind', async () => {
    using backend = createReferenceBackend();
    const stream = await createStream({ backend, dims, resident: 1, folder, name: 'x' });
    for (const window of [0, 1]) await stream.set(window, backend.allocate('float32', dims));
    await stream[Symbol.asyncDispose]();
    expect(backend.liveBytes).toBe(0);
    expect(await readdir(folder)).toEqual([]);
  });
});
