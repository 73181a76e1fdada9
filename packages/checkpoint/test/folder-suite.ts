import { beforeEach, describe, expect, test } from 'vitest';
import { openModelFolder as open, writeSafetensors, type ModelFolder } from '../src/index.ts';
import { expectError, tensorOf } from './any-fixtures.ts';
import type { Place } from './place.ts';

/** Model folders in the store of a place. */
export function describeFolder(openPlace: () => Promise<Place>): void {
  let place: Place;
  beforeEach(async () => {
    place = await openPlace();
  });
  const join = (...parts: [string, ...string[]]): string => place.files.join(...parts);
  const openModelFolder = (path: string): Promise<ModelFolder> => open(path, { files: place.files });

  /** A folder with a config, two shards and an index that `change` may spoil. */
  async function sharded(
    weightMap: Record<string, unknown> = { a: 'one.safetensors', b: 'two.safetensors' },
  ) {
    const { root, files } = place;
    await writeSafetensors(join(root, 'one.safetensors'), [['a', tensorOf(1, 2)]], undefined, { files });
    await writeSafetensors(join(root, 'two.safetensors'), [['b', tensorOf(3)]], undefined, { files });
    await place.put(join(root, 'config.json'), '{"model_type":"llama","__proto__":{"x":1}}');
    await place.put(join(root, 'model.safetensors.index.json'), JSON.stringify({ weight_map: weightMap }));
    return root;
  }

  describe('a folder of shards', () => {
    test('reads each tensor from its shard', async () => {
      await using folder = await openModelFolder(await sharded());
      expect(folder.config.model_type).toBe('llama');
      expect('x' in folder.config).toBe(false);
      expect([...folder.tensors.names()]).toEqual(['a', 'b']);
      expect(folder.tensors.info('b')).toMatchObject({ dtype: 'F32', shape: [1], bytes: 4 });
      expect((await folder.tensors.read('a')).data).toEqual(Float32Array.of(1, 2));
      expect((await folder.tensors.read('b')).data).toEqual(Float32Array.of(3));
    });

    test('names the tensor and the folder where there is none', async () => {
      const path = await sharded();
      await using folder = await openModelFolder(path);
      expect(folder.tensors.info('c')).toBeUndefined();
      await expectError(folder.tensors.read('c'), 'MISSING', new RegExp(`${path}: expected tensor c`));
    });

    test('closes every shard', async () => {
      const folder = await openModelFolder(await sharded());
      await folder.close();
      await folder.close();
      await expectError(folder.tensors.read('a'), 'DISPOSED', /one\.safetensors/);
      await expectError(folder.tensors.read('b'), 'DISPOSED', /two\.safetensors/);
    });

    test.for([
      ['a shard above the folder', '../one.safetensors'],
      ['a shard above it by a detour', 'x/../../one.safetensors'],
      ['an absolute shard', '/one.safetensors'],
      ['the folder itself', '.'],
      ['a shard that is a number', 3],
    ] as const)('%s is refused', async ([, shard]) => {
      const path = await sharded({ a: shard });
      await expectError(
        openModelFolder(path),
        'CORRUPT_FILE',
        /index\.json: expected tensor a in a file of the folder/,
      );
    });

    test('an absolute shard is refused even within the folder', async () => {
      const path = await sharded();
      const index = { weight_map: { a: `/${join(path, 'one.safetensors')}` } };
      await place.put(join(path, 'model.safetensors.index.json'), JSON.stringify(index));
      await expectError(openModelFolder(path), 'CORRUPT_FILE', /expected tensor a in a file of the folder/);
    });

    test('a tensor that its shard has not is told when the folder is opened', async () => {
      const path = await sharded({ a: 'one.safetensors', b: 'one.safetensors' });
      await expectError(openModelFolder(path), 'MISSING', /one\.safetensors: expected tensor b/);
    });

    test('a shard that is missing or cut short is told when the folder is opened', async () => {
      const path = await sharded();
      await place.resize(join(path, 'two.safetensors'), 70);
      await expectError(
        openModelFolder(path),
        'CORRUPT_FILE',
        /two\.safetensors: expected 4 bytes of tensors, received \d/,
      );
      await place.files.remove(join(path, 'two.safetensors'));
      await expectError(openModelFolder(path), 'MISSING', /two\.safetensors: .*nothing at that path/);
    });

    test('an index without a weight map is refused', async () => {
      const path = await sharded();
      await place.put(join(path, 'model.safetensors.index.json'), '{}');
      await expectError(openModelFolder(path), 'CORRUPT_FILE', /weight_map/);
    });
  });

  describe('a folder', () => {
    test('that is not there, or is a file, is told so', async () => {
      const path = place.root;
      await place.put(join(path, 'file'), '');
      await expectError(openModelFolder(join(path, 'no')), 'MISSING', /no: expected a file or folder/);
      await expectError(
        openModelFolder(join(path, 'file')),
        'MISSING',
        /expected a model folder, received a file/,
      );
    });

    test('needs a config and weights', async () => {
      const path = place.root;
      await expectError(openModelFolder(path), 'MISSING', /config\.json/);
      await place.put(join(path, 'config.json'), '{"a":');
      await expectError(openModelFolder(path), 'CORRUPT_FILE', /config\.json: expected JSON/);
      await place.put(join(path, 'config.json'), '[1]');
      await expectError(
        openModelFolder(path),
        'CORRUPT_FILE',
        /expected a JSON object, received a JSON array/,
      );
      await place.put(join(path, 'config.json'), '{}');
      await expectError(
        openModelFolder(path),
        'MISSING',
        /model\.safetensors or model\.safetensors\.index\.json/,
      );
    });

    test('without a tokenizer opens, and tells when the tokenizer is wanted', async () => {
      await using folder = await openModelFolder(await sharded());
      await expectError(folder.tokenizer(), 'MISSING', /tokenizer\.json: /);
    });
  });
}
