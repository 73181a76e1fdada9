import { SpikeError } from '@spikellm/backend';
import { beforeEach, describe, expect, test } from 'vitest';
import { openGgufFile } from '../src/gguf/file.ts';
import { expectError } from './fixtures.ts';
import { ggufBytes, joined, text, u32, u64, type GgufParts, type TensorParts } from './gguf-fixtures.ts';
import type { Place } from './place.ts';
import { places } from './places.ts';

const f32 = (name: string, values: number[], rest: Partial<TensorParts> = {}): TensorParts => ({
  name,
  dimensions: [values.length],
  data: Float32Array.from(values),
  ...rest,
});

/** An array of 2^40 values of a type, of which there are none. */
const hugeArray = (type: number): Uint8Array => joined([text('a'), u32(9), u32(type), u64(2n ** 40n)]);
const bare = (...parts: Uint8Array[]): GgufParts => ({ entryCount: 1n, rawEntries: joined(parts) });

describe.each(Object.keys(places))('GGUF on %s', (name) => {
  let place: Place;
  beforeEach(async () => {
    place = await places[name]();
  });
  const written = async (bytes: Uint8Array): Promise<string> => {
    const path = place.files.join(place.root, 'model.gguf');
    await place.put(path, bytes);
    return path;
  };
  const open = (path: string) => openGgufFile(path, { files: place.files });

  test('reads every kind of value, and tensors where they lie', async () => {
    const bytes = ggufBytes({
      version: 2,
      entries: [
        ['general.architecture', 'string', 'llama'],
        ['general.alignment', 'uint32', 64],
        ['a.count', 'uint64', 7],
        ['a.large', 'uint64', 2n ** 60n],
        ['a.float', 'float32', 0.5],
        ['a.yes', 'bool', 1],
        ['a.names', 'array', ['string', ['\uFEFF', '', 'ü']]],
        ['a.scores', 'array', ['float32', [1, -2]]],
        ['a.flags', 'array', ['bool', [0, 1]]],
      ],
      tensors: [f32('one', [1, 2, 3, 4, 5, 6], { dimensions: [3, 2] }), f32('two', [7])],
      alignment: 64,
    });
    await using file = await open(await written(bytes));
    expect(file.version).toBe(2);
    expect(Object.fromEntries(file.metadata)).toEqual({
      'general.architecture': 'llama',
      'general.alignment': 64,
      'a.count': 7,
      'a.large': 2n ** 60n,
      'a.float': 0.5,
      'a.yes': true,
      'a.names': ['\uFEFF', '', 'ü'],
      'a.scores': Float32Array.of(1, -2),
      'a.flags': [false, true],
    });
    const stored = file.tensors.get('one')!;
    expect(stored).toMatchObject({ shape: [2, 3], bytes: 24 });
    const read = await file.read('x', { stored, shape: stored.shape, first: 0 });
    expect([...(read.data as Float32Array)]).toEqual([1, 2, 3, 4, 5, 6]);
    const two = file.tensors.get('two')!;
    expect((await file.read('y', { stored: two, shape: [1], first: 0 })).data).toEqual(Float32Array.of(7));
  });

  test('a view is part of a tensor, its rows in another order, without what was added', async () => {
    const path = await written(
      ggufBytes({ tensors: [f32('t', [1, 2, 3, 4, 5, 6], { dimensions: [1, 3, 2] })] }),
    );
    await using file = await open(path);
    const stored = file.tensors.get('t')!;
    const view = {
      stored,
      shape: [3, 1],
      first: 3,
      order: { length: 1, placeOf: (row: number) => (row + 1) % 3 },
      added: 1,
    };
    expect((await file.read('t', view)).data).toEqual(Float32Array.of(5, 3, 4));
  });

  test.for<readonly [string, Uint8Array | GgufParts, RegExp]>([
    ['of no bytes', new Uint8Array(0), /model\.gguf: expected 4 bytes, received 0 before the file ends/],
    ['with another magic', { magic: 'GGML' }, /begins with 'GGUF', received first bytes 0x4c4d4747/],
    [
      'with a string beyond the file',
      bare(u64(2n ** 63n), u64(0n)),
      /entry 0: expected a string of 1 to \d+ bytes/,
    ],
    ['with an empty key', bare(text(''), u32(0), Uint8Array.of(1, 2)), /entry 0: .*a length of 0/],
    ['with a key that is not UTF-8', bare(text(Uint8Array.of(255)), u32(0), Uint8Array.of(1)), /in UTF-8/],
    [
      'with an unknown type of value',
      bare(text('a'), u32(13), u64(0n)),
      /key a: .*from 0 to 12, received 13/,
    ],
    [
      'with a boolean of 2',
      { entries: [['a', 'bool', 2]] },
      /key a: expected a boolean of 0 or 1, received 2/,
    ],
    [
      'with too many numbers',
      bare(hugeArray(4)),
      /key a: expected at most \d+ values .*, received 1099511627776/,
    ],
    ['with too many strings', bare(hugeArray(8)), /key a: expected at most \d+ values/],
    ['with too many flags', bare(hugeArray(7)), /key a: expected at most \d+ values/],
    ['with more tensors than it has room for', { tensorCount: 2n ** 60n }, /at most \d+ tensors/],
    [
      'with more entries than it has room for',
      { entryCount: 2n ** 64n - 1n },
      /at most \d+ metadata entries/,
    ],
    [
      'with one key twice',
      {
        entries: [
          ['a', 'bool', 1],
          ['a', 'bool', 1],
        ],
      },
      /entry 1: expected keys that differ, received a a second time/,
    ],
    [
      'with an alignment of 48',
      { entries: [['general.alignment', 'uint32', 48]] },
      /a power of two, received 48/,
    ],
    [
      'with an alignment of 0',
      { entries: [['general.alignment', 'uint32', 0]] },
      /a power of two, received 0/,
    ],
    ['with an alignment of text', { entries: [['general.alignment', 'string', '32']] }, /a power of two/],
    ['with one name twice', { tensors: [f32('t', [1]), f32('t', [2])] }, /tensor 1: .*t a second time/],
    ['with a long name', { tensors: [f32('t'.repeat(65), [1])] }, /tensor 0: .*a length of 65/],
    ['with five dimensions', { tensors: [f32('t', [1], { dimensions: [1, 1, 1, 1, 1] })] }, /received 5/],
    [
      'with dimensions that overflow',
      { tensors: [f32('t', [1], { dimensions: [2n ** 40n, 2n ** 40n] })] },
      /tensor t: .*received dimensions 1099511627776 x 1099511627776/,
    ],
    [
      'with a huge dimension beside an empty one',
      { tensors: [f32('t', [1], { dimensions: [2n ** 63n, 0] })] },
      /tensor t: expected 1 to 9007199254740991 values/,
    ],
    [
      'with rows that are no whole blocks',
      { tensors: [f32('t', [1], { dimensions: [33], type: 8 })] },
      /tensor t: expected rows of a multiple of 32 values, the blocks of Q8_0, received rows of 33/,
    ],
    ['with an odd offset', { tensors: [f32('t', [1], { offset: 4 })] }, /a multiple of 32, received 4/],
    ['with an offset beyond it', { tensors: [f32('t', [1], { offset: 64 })] }, /a file of \d+; .*cut short/],
    [
      'with a huge offset',
      { tensors: [f32('t', [1], { offset: 2n ** 63n })] },
      /an offset that is a multiple/,
    ],
    [
      'with an overlap',
      { tensors: [f32('a', [1]), f32('b', [1], { offset: 0 })] },
      /tensor b: .*an overlap with tensor a/,
    ],
    [
      'cut short in its data',
      ggufBytes({
        tensors: [
          f32(
            't',
            Array.from({ length: 40 }, () => 1),
          ),
        ],
      }).subarray(0, -64),
      /tensor t: expected data up to byte \d+, received a file of \d+; .*cut short/,
    ],
  ])('%s is refused', async ([, parts, sentence]) => {
    const bytes = parts instanceof Uint8Array ? parts : ggufBytes(parts);
    await expectError(open(await written(bytes)), 'CORRUPT_FILE', sentence);
  });

  test.for<readonly [string, GgufParts, RegExp]>([
    ['of version 1', { version: 1 }, /version 2 or 3, little-endian, received version 1; convert/],
    ['of version 4', { version: 4 }, /received version 4/],
    ['of big-endian numbers', { version: 0x03000000 }, /received a big-endian one/],
    ['with an array of arrays', bare(text('a'), u32(9), u32(9), u64(1n)), /key a: .*an array of arrays/],
    ['with an unknown type of tensor', { tensors: [f32('t', [1], { type: 99 })] }, /tensor t: .*type 99/],
  ])('%s is not supported', async ([, parts, sentence]) => {
    await expectError(open(await written(ggufBytes(parts))), 'UNSUPPORTED', sentence);
  });

  test('a header that is cut anywhere is refused', async () => {
    const bytes = ggufBytes({
      entries: [
        ['general.architecture', 'string', 'llama'],
        ['a', 'array', ['string', ['x', 'yy']]],
      ],
      tensors: [f32('t', [1, 2])],
    });
    for (let length = 0; length < bytes.length - 24; length++) {
      await expectError(open(await written(bytes.subarray(0, length))), 'CORRUPT_FILE', /expected/);
    }
  });

  test('any byte of a header that is changed gives a file or a typed error', async () => {
    const bytes = ggufBytes({
      entries: [
        ['general.alignment', 'uint32', 32],
        ['a', 'array', ['uint64', [1, 2]]],
      ],
      tensors: [f32('t', [1, 2])],
    });
    for (let at = 0; at < bytes.length - 32; at++) {
      for (const byte of [0, 1, 7, 128, 255]) {
        const outcome = await open(await written(bytes.with(at, byte))).then(
          (file) => file.close(),
          (error: unknown) => (error instanceof SpikeError ? undefined : error),
        );
        expect({ at, byte, outcome }).toEqual({ at, byte, outcome: undefined });
      }
    }
  });

  test('that is closed is told so', async () => {
    const file = await open(await written(ggufBytes({ tensors: [f32('t', [1])] })));
    const stored = file.tensors.get('t')!;
    await file.close();
    await file.close();
    await expectError(file.read('t', { stored, shape: [1], first: 0 }), 'DISPOSED', /an open file/);
  });

  test('NaN is refused with its place', async () => {
    await using file = await open(await written(ggufBytes({ tensors: [f32('t', [1, NaN])] })));
    const stored = file.tensors.get('t')!;
    await expectError(
      file.read('name', { stored, shape: [2], first: 0 }),
      'NOT_FINITE',
      /tensor name: .*flat index 1/,
    );
  });
});
