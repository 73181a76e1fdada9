import { expect, test } from 'vitest';
import { createMemoryFiles, openModelFolder } from '../src/index.ts';
import { expectError, safetensorsBytes } from './fixtures.ts';

const WEIGHTS = safetensorsBytes({ w: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } }, [1, 2, 3, 4]);

/** A Blob of which only slices of at most `limit` bytes may be read. */
class Large extends Blob {
  readonly #limit: number;
  constructor(parts: BlobPart[], limit: number) {
    super(parts);
    this.#limit = limit;
  }
  override slice(start: number, end: number): Blob {
    if (end - start > this.#limit) throw new Error('too much at once');
    return super.slice(start, end);
  }
  override arrayBuffer(): Promise<ArrayBuffer> {
    throw new Error('read whole');
  }
}

test('a folder of Blobs opens without reading one whole', async () => {
  const files = createMemoryFiles([
    ['/tales/config.json', new Blob(['{"model_type":"llama"}'])],
    ['tales/model.safetensors', new Large([WEIGHTS], WEIGHTS.length - 12)],
  ]);
  await using folder = await openModelFolder('tales', { files });
  expect(folder.config).toEqual({ model_type: 'llama' });
  expect((await folder.tensors.read('w')).data).toEqual(Uint8Array.of(1, 2, 3, 4));
  expect([...files.blobs('tales').keys()]).toEqual(['config.json', 'model.safetensors']);
  expect(await files.blobs('/').get('tales/config.json')?.text()).toBe('{"model_type":"llama"}');
});

test('files without a folder are in the root', async () => {
  const files = createMemoryFiles([
    ['config.json', new Blob(['{}'])],
    ['model.safetensors', new Blob([WEIGHTS])],
  ]);
  await using folder = await openModelFolder('/', { files });
  expect([...folder.tensors.names()]).toEqual(['w']);
  await expectError(openModelFolder('tales', { files }), 'MISSING', /tales: .*nothing at that path/);
});

test('a shard name with a backslash is refused on every system', () => {
  const files = createMemoryFiles();
  expect(files.isInside('tales', 'a\\b')).toBe(false);
  expect(files.isInside('tales', '..\\b')).toBe(false);
});
