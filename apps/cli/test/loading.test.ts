/** A model is read once, in bounded memory, and a file that changes meanwhile is told. */
import { cpSync, readdirSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { loadDecoder } from '@spikellm/graph';
import { expect, test } from 'vitest';
import { MODEL, scratch } from './run.ts';

test('weights that are cut short while they are loaded are told with their file', async () => {
  using folder = scratch();
  const path = join(folder.path, 'model');
  cpSync(MODEL, path, { recursive: true });
  const file = join(
    path,
    readdirSync(path).find((name) => name.endsWith('.safetensors'))!,
  );
  await using model = await openModelFolder(path);
  using backend = createReferenceBackend();
  const seen: number[] = [];
  const loading = loadDecoder({
    ...model,
    backend,
    onProgress(done) {
      seen.push(done);
      truncateSync(file, 100_000);
    },
  });
  await expect(loading).rejects.toMatchObject({
    code: 'CORRUPT_FILE',
    message: expect.stringMatching(
      /model\/.*safetensors: tensor .*cut short while it was read.*download it again/,
    ),
  });
  expect(seen).toEqual([1]);
  expect(backend.liveBytes).toBe(0);
});
