import { truncate } from 'node:fs/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { openSafetensors } from '../src/index.ts';
import { expectError, safetensorsBytes, temporaryFile } from './fixtures.ts';
import type { Place } from './place.ts';
import { places } from './places.ts';

const claims = (length: bigint): Uint8Array => {
  const bytes = safetensorsBytes('{}');
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
};

describe.each(Object.keys(places))('a malformed file on %s', (name) => {
  let place: Place;
  beforeEach(async () => {
    place = await places[name]();
  });
  const open = (path: string) => openSafetensors(path, { files: place.files });
  const written = async (bytes: Uint8Array): Promise<string> => {
    const path = place.files.join(place.root, 'model.safetensors');
    await place.put(path, bytes);
    return path;
  };
  const f32 = (shape: unknown, begin: unknown, end: unknown): object => ({
    dtype: 'F32',
    shape,
    data_offsets: [begin, end],
  });
  const eight = new Uint8Array(8);

  test.for([
    ['of no bytes', new Uint8Array(0), /at least 8 bytes, received 0 bytes/],
    ['of 7 bytes', new Uint8Array(7), /at least 8 bytes, received 7 bytes/],
    ['of a length field only', new Uint8Array(8), /header length of 0/],
    ['with a header of no bytes', claims(0n), /header of 1 to 2 bytes, received a header length of 0/],
    [
      'with a header beyond the file',
      claims(3n),
      /header of 1 to 2 bytes, received a header length of 3; .*cut short/,
    ],
    ['with a huge header length', claims(2n ** 64n - 1n), /received a header length of 18446744073709551615/],
    ['that is not JSON', safetensorsBytes('{"w":'), /a header of JSON in UTF-8/],
    ['that is not UTF-8', safetensorsBytes('{}').with(9, 0xff), /a header of JSON in UTF-8/],
    ['with an array', safetensorsBytes('[]'), /a JSON object/],
    ['with null', safetensorsBytes('null'), /a JSON object/],
    ['with metadata of numbers', safetensorsBytes({ __metadata__: { a: 1 } }), /__metadata__ of strings/],
    ['with a tensor that is a number', safetensorsBytes({ w: 3 }), /tensor w: expected dtype, shape/],
    ['without a dtype', safetensorsBytes({ w: { shape: [], data_offsets: [0, 0] } }), /w: expected a dtype/],
    [
      'with a negative dimension',
      safetensorsBytes({ w: f32([-1, -2], 0, 8) }, eight),
      /tensor w: .*\[-1,-2\]/,
    ],
    ['with half a dimension', safetensorsBytes({ w: f32([0.5], 0, 2) }, eight), /\[0\.5\]/],
    ['with an unsafe dimension', safetensorsBytes({ w: f32([2 ** 53], 0, 8) }, eight), /whole numbers/],
    [
      'with dimensions that overflow',
      safetensorsBytes({ w: f32([2 ** 50, 2 ** 50], 0, 8) }, eight),
      /received 8 bytes/,
    ],
    [
      'with a shape of another size',
      safetensorsBytes({ w: f32([3], 0, 8) }, eight),
      /12 bytes for F32 of shape \[3\]/,
    ],
    [
      'with one offset',
      safetensorsBytes({ w: { dtype: 'F32', shape: [2], data_offsets: [0] } }, eight),
      /begin <= end/,
    ],
    [
      'with offsets the wrong way',
      safetensorsBytes({ w: f32([2], 8, 0) }, eight),
      /begin <= end, received \[8,0\]/,
    ],
    [
      'with an overlap',
      safetensorsBytes({ a: f32([1], 0, 4), b: f32([1], 2, 6) }, eight),
      /tensor b: .*overlap/,
    ],
    ['with one place twice', safetensorsBytes({ a: f32([2], 0, 8), b: f32([2], 0, 8) }, eight), /overlap/],
    ['with a gap', safetensorsBytes({ a: f32([0], 0, 0), b: f32([1], 4, 8) }, eight), /tensor b: .*gap/],
    [
      'cut short',
      safetensorsBytes({ w: f32([2], 0, 8) }, eight.subarray(1)),
      /8 bytes of tensors, received 7; .*cut/,
    ],
    [
      'with bytes to spare',
      safetensorsBytes({ w: f32([1], 0, 4) }, eight),
      /4 bytes of tensors, received 8\./,
    ],
  ] as const)('%s is refused', async ([, bytes, sentence]) => {
    const path = await written(bytes);
    await expectError(open(path), 'CORRUPT_FILE', sentence);
  });

  test('with an unknown dtype is open, and names it and the tensor where that is read', async () => {
    const header = { 'layer.weight': { dtype: 'F8_E4M3', shape: [8], data_offsets: [0, 8] } };
    await using file = await open(await written(safetensorsBytes(header, eight)));
    expect(file.info('layer.weight')).toMatchObject({ dtype: 'F8_E4M3', bytes: 8 });
    await expectError(
      Promise.resolve().then(() => file.read('layer.weight')),
      'UNSUPPORTED',
      /tensor layer\.weight: .*received F8_E4M3/,
    );
  });

  test('that is a folder or not there is told so', async () => {
    const [folder, nothing] = ['x', 'y'].map((part) => place.files.join(place.root, part));
    await place.files.makeFolder(folder);
    await expectError(open(folder), 'INVALID_ARGUMENT', /x: .*(EISDIR|a folder)/);
    await expectError(open(nothing), 'MISSING', /y: .*nothing at that path/);
  });

  test('with no tensors, and one with empty tensors anywhere, are fine', async () => {
    await using none = await open(await written(safetensorsBytes('{}')));
    expect([...none.names()]).toEqual([]);
    const header = { a: f32([2], 0, 8), b: f32([0, 3], 0, 0), c: f32([0], 8, 8) };
    await using file = await open(await written(safetensorsBytes(header, eight)));
    expect((await file.read('b')).dims).toEqual([0, 3]);
    expect(file.info('c')).toMatchObject({ dtype: 'F32', shape: [0], bytes: 0 });
  });
});

test('a file that claims a header above the cap is refused without reading it', async () => {
  const path = await temporaryFile(claims(100_000_001n));
  await truncate(path, 200_000_000); // sparse
  await expectError(openSafetensors(path), 'CORRUPT_FILE', /1 to 100000000 bytes, received .* 100000001/);
});
