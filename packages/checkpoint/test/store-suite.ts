import { beforeEach, describe, expect, test } from 'vitest';
import { fileError, isTemporary, writeFileAtomic } from '../src/files.ts';
import { createSpillFile, type FileStore } from '../src/index.ts';
import { expectError } from './any-fixtures.ts';
import type { Place } from './place.ts';

/** What the code relies on in every store. */
export function describeStore(openPlace: () => Promise<Place>): void {
  let place: Place;
  let files: FileStore;
  beforeEach(async () => {
    place = await openPlace();
    ({ files } = place);
  });
  const at = (...names: string[]): string => files.join(place.root, ...names);
  const told = <T>(path: string, promise: Promise<T>): Promise<T> =>
    promise.catch((error: unknown) => {
      throw fileError(path, error);
    });

  test('tells a file, a folder and nothing apart', async () => {
    await place.put(at('a', 'b', 'file'), 'four');
    expect(await files.stat(at('a', 'b', 'file'))).toEqual({ isFolder: false, size: 4 });
    expect(await files.stat(at('a'))).toMatchObject({ isFolder: true });
    expect(await files.stat(place.root)).toMatchObject({ isFolder: true });
    expect(await files.stat(at('c'))).toBeUndefined();
    expect(await files.stat(at('c', 'd'))).toBeUndefined();
    expect(await place.names(at('a'))).toEqual(['b']);
  });

  test('reads at any position and no further than the end', async () => {
    await place.put(at('file'), Uint8Array.of(1, 2, 3, 4, 5));
    const file = await files.open(at('file'));
    const target = new Uint8Array(3);
    expect(file.size).toBe(5);
    expect(await file.read(target, 1)).toBe(3);
    expect(target).toEqual(Uint8Array.of(2, 3, 4));
    expect(await file.read(target, 4)).toBe(1);
    expect(target[0]).toBe(5);
    expect(await file.read(target, 5)).toBe(0);
    await file.close();
  });

  test('writes at any position, over what is there and beyond the end', async () => {
    const large = Uint8Array.from({ length: 200_000 }, (_, i) => i % 251);
    const file = await files.create(at('file'));
    await file.write(large, 100_000);
    await file.write(Uint8Array.of(7, 8, 9), 131_070);
    await file.flush();
    await file.close();
    const expected = new Uint8Array(300_000);
    expected.set(large, 100_000);
    expected.set([7, 8, 9], 131_070);
    expect((await place.contents(place.root)).get('file')).toEqual(expected);
  });

  test('writes from resizable buffers and reads into them', async () => {
    const resizable = (): Uint8Array => new Uint8Array(new ArrayBuffer(5e6, { maxByteLength: 1e7 }));
    const file = await files.create(at('file'));
    await file.write(resizable().fill(7), 3);
    const target = resizable().subarray(0, 6);
    expect(await file.read(target, 0)).toBe(6);
    expect([...target]).toEqual([0, 0, 0, 7, 7, 7]);
    await file.close();
    expect((await files.stat(at('file')))?.size).toBe(5_000_003);
    const opened = await files.open(at('file'));
    expect(await opened.read(target, 5_000_000)).toBe(3);
    expect(target[2]).toBe(7);
    await opened.close();
  });

  test('creates a file anew, or keeps what it has', async () => {
    await place.put(at('file'), 'long content');
    const kept = await files.create(at('file'), { keep: true });
    expect(kept.size).toBe(12);
    await kept.write(new TextEncoder().encode('!'), 12);
    await kept.close();
    expect(await place.text(at('file'))).toBe('long content!');
    await place.put(at('file'), 'short');
    expect(await place.text(at('file'))).toBe('short');
  });

  test('needs a folder for a file', async () => {
    await expectError(
      told(at('no', 'file'), files.create(at('no', 'file'))),
      'MISSING',
      /nothing at that path/,
    );
    await expectError(told(at('no'), files.open(at('no'))), 'MISSING', /nothing at that path/);
    await expectError(told(at('no'), files.list(at('no'))), 'MISSING', /nothing at that path/);
    await files.makeFolder(at('folder'));
    await expectError(told(at('folder'), files.create(at('folder'))), 'INVALID_ARGUMENT', /folder: /);
  });

  test('moves a file in place of another', async () => {
    await place.put(at('old'), 'old');
    await place.put(at('new'), 'new');
    await files.move(at('new'), at('old'));
    expect(await place.names(place.root)).toEqual(['old']);
    expect(await place.text(at('old'))).toBe('new');
  });

  test('moves a folder with all that is in it', async () => {
    await place.put(at('from', 'a'), '1');
    await place.put(at('from', 'deep', 'b'), '2');
    await files.makeFolder(at('from', 'empty'));
    await place.put(at('from-another'), '3');
    await files.move(at('from'), at('to'));
    expect(await place.names(place.root)).toEqual(['from-another', 'to']);
    expect([...(await place.contents(at('to'))).keys()]).toEqual(['a', 'deep/b']);
    expect(await files.stat(at('to', 'empty'))).toMatchObject({ isFolder: true });
  });

  test('removes a file, a folder with all in it, and nothing', async () => {
    await place.put(at('folder', 'deep', 'file'), '');
    await place.put(at('folder2'), '');
    await files.remove(at('folder'));
    expect(await place.names(place.root)).toEqual(['folder2']);
    await files.remove(at('folder2'));
    await files.remove(at('folder2'));
    await files.remove(at('no', 'such'));
    expect(await place.names(place.root)).toEqual([]);
  });

  test.for(['a', 'a.b/c', './a', 'a/./b', '..a', 'a..'])('%j is inside', (name) => {
    expect(files.isInside(place.root, name)).toBe(true);
  });

  test.for(['', '.', '..', '../a', 'a/..', 'a/../../b', '/a', '/'])('%j is not inside', (name) => {
    expect(files.isInside(place.root, name)).toBe(false);
  });

  describe('a file that is written at once', () => {
    test('is complete or what it was', async () => {
      await place.put(at('file'), 'former');
      function* failing() {
        yield 'half';
        throw new Error('enough');
      }
      await expect(writeFileAtomic(files, at('file'), failing())).rejects.toThrow('enough');
      expect(await place.text(at('file'))).toBe('former');
      await writeFileAtomic(files, at('file'), ['so', Uint8Array.of(0x6d), 'e']);
      expect(await place.text(at('file'))).toBe('some');
      expect((await place.names(place.root)).filter(isTemporary)).toEqual([]);
    });
  });

  describe('a spill file', () => {
    test('gives slots back in any order, and is gone with its user', async () => {
      {
        const options = { folder: at('spill'), name: 'x.stream', slotBytes: 3, files };
        await using spill = await createSpillFile(options);
        await spill.write(2, Uint8Array.of(1, 2, 3));
        await spill.write(0, Uint8Array.of(4, 5, 6));
        await spill.write(2, Uint8Array.of(7, 8, 9));
        const target = new Uint8Array(3);
        await spill.read(2, target);
        expect(target).toEqual(Uint8Array.of(7, 8, 9));
        await spill.read(0, target);
        expect(target).toEqual(Uint8Array.of(4, 5, 6));
        await expectError(spill.read(3, target), 'CORRUPT_FILE', /x\.stream: expected 3 bytes of slot 3/);
      }
      expect(await place.names(at('spill'))).toEqual([]);
    });
  });
}
