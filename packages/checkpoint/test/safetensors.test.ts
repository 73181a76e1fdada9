import { symlink, readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { describe, expect, test } from 'vitest';
import { openSafetensors, writeSafetensors } from '../src/index.ts';
import { expectError, safetensorsBytes, temporaryFile, temporaryFolder } from './fixtures.ts';

describe('a file that was written', () => {
  const everyType: readonly (readonly [string, Tensor])[] = [
    ['bytes', new Tensor('uint8', Uint8Array.of(0, 128, 255), [3])],
    ['flags', new Tensor('bool', Uint8Array.of(1, 0), [2])],
    ['small', new Tensor('int8', Int8Array.of(-128, 127), [1, 2])],
    ['short', new Tensor('int16', Int16Array.of(-32768, 32767), [2])],
    ['half', new Tensor('float16', Uint16Array.of(0x3c00, 0xc000), [2])],
    ['unsigned', new Tensor('uint16', Uint16Array.of(65535), [1])],
    ['whole', new Tensor('int32', Int32Array.of(-(2 ** 31), 2 ** 31 - 1), [2])],
    ['positive', new Tensor('uint32', Uint32Array.of(2 ** 32 - 1), [1, 1, 1])],
    ['single', new Tensor('float32', Float32Array.of(0.1, -1e-45, 3.4e38), [3])],
    ['long', new Tensor('int64', BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n), [2])],
    ['double', new Tensor('float64', Float64Array.of(Math.PI), [])],
    ['empty', new Tensor('float32', new Float32Array(0), [0, 4])],
    ['__proto__', new Tensor('float32', Float32Array.of(7), [1])],
    ['12', new Tensor('float32', Float32Array.of(12), [1])],
  ];

  test('gives back every type, shape and the metadata', async () => {
    const path = join(await temporaryFolder(), 'all.safetensors');
    await writeSafetensors(path, everyType, { format: 'pt', __proto__note: 'x' });
    await using file = await openSafetensors(path);
    expect(file.metadata).toEqual({ format: 'pt', __proto__note: 'x' });
    expect(new Set(file.names())).toEqual(new Set(everyType.map(([name]) => name)));
    for (const [name, tensor] of everyType) {
      const read = await file.read(name, { as: 'stored' });
      const { type, dims, data } = tensor;
      expect({ name, type: read.type, dims: read.dims, data: read.data }).toEqual({ name, type, dims, data });
    }
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
  });

  test('has aligned tensors, a padded header and the same bytes each time', async () => {
    const folder = await temporaryFolder();
    await writeSafetensors(join(folder, 'a'), everyType, { k: 'v' });
    await writeSafetensors(join(folder, 'b'), everyType, { k: 'v' });
    const bytes = await readFile(join(folder, 'a'));
    expect(bytes.equals(await readFile(join(folder, 'b')))).toBe(true);
    expect(await readdir(folder)).toEqual(['a', 'b']);

    const length = Number(bytes.readBigUInt64LE(0));
    expect(length % 8).toBe(0);
    const header = JSON.parse(bytes.toString('utf8', 8, 8 + length));
    const misaligned = everyType.filter(
      ([name, { data }]) => header[name].data_offsets[0] % (data as Uint8Array).BYTES_PER_ELEMENT !== 0,
    );
    expect(misaligned).toEqual([]);
    const inOrder = Object.entries<{ data_offsets: number[]; dtype: string }>(header)
      .filter(([, entry]) => ['F16', 'U16', 'I16'].includes(entry.dtype))
      .toSorted(([, a], [, b]) => a.data_offsets[0] - b.data_offsets[0])
      .map(([name]) => name);
    expect(inOrder).toEqual(['short', 'half', 'unsigned']);
  });

  test('writes the published layout', async () => {
    const path = join(await temporaryFolder(), 'one.safetensors');
    await writeSafetensors(path, [['w', new Tensor('float32', Float32Array.of(1, -2), [2])]]);
    const json = '{"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}';
    const bytes = safetensorsBytes(json.padEnd(56), [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
    expect(new Uint8Array(await readFile(path))).toEqual(bytes);
  });

  test('writes a view of a larger buffer as what it shows', async () => {
    const path = join(await temporaryFolder(), 'view.safetensors');
    await writeSafetensors(path, [
      ['v', new Tensor('float32', Float32Array.of(1, 2, 3, 4).subarray(1, 3), [2])],
    ]);
    await using file = await openSafetensors(path);
    expect((await file.read('v')).data).toEqual(Float32Array.of(2, 3));
  });
});

describe('writing refuses', () => {
  const one = new Tensor('float32', Float32Array.of(1), [1]);

  test.for([
    [
      'a type that safetensors has not',
      [['s', new Tensor('string', ['x'], [1])]],
      'DTYPE',
      /tensor s.*string/,
    ],
    [
      'a name twice',
      [
        ['w', one],
        ['w', one],
      ],
      'INVALID_ARGUMENT',
      /w twice/,
    ],
    ['the reserved name', [['__metadata__', one]], 'INVALID_ARGUMENT', /__metadata__/],
    ['NaN', [['w', new Tensor('float32', Float32Array.of(1, NaN), [2])]], 'NOT_FINITE', /tensor w.*index 1/],
  ] as const)('%s', async ([, tensors, code, sentence]) => {
    const folder = await temporaryFolder();
    await expectError(writeSafetensors(join(folder, 'x'), tensors), code, sentence);
    expect(await readdir(folder)).toEqual([]);
  });

  test('a folder that is not there', async () => {
    const path = join(await temporaryFolder(), 'no', 'x.safetensors');
    await expectError(
      writeSafetensors(path, [['w', one]]),
      'MISSING',
      /no\/x\.safetensors: .*nothing at that path/,
    );
  });

  test('a full disk, and keeps the file that was there', async (context) => {
    if (!existsSync('/dev/full')) context.skip('the system has no /dev/full');
    const folder = await temporaryFolder();
    const path = join(folder, 'x.safetensors');
    await writeFile(path, 'former');
    await symlink('/dev/full', `${path}.tmp`);
    await expectError(
      writeSafetensors(path, [['w', one]]),
      'OUT_OF_MEMORY',
      /room on the disk.*ENOSPC.*free some/,
    );
    expect(await readdir(folder)).toEqual(['x.safetensors']);
    expect(await readFile(path, 'utf8')).toBe('former');
  });
});

describe('floats', () => {
  /** A file with one tensor `w` of 16-bit words. */
  const words = (dtype: string, ...values: number[]): Promise<string> => {
    const data = new Uint8Array(Uint16Array.from(values).buffer);
    return temporaryFile(
      safetensorsBytes({ w: { dtype, shape: [values.length], data_offsets: [0, data.length] } }, data),
    );
  };

  test('F16 comes as float32, also subnormal and negative zero, or as stored', async () => {
    const cases = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24], // smallest subnormal
      [0x03ff, 1023 * 2 ** -24], // largest subnormal
      [0x0400, 2 ** -14], // smallest normal
      [0x3555, 0.333251953125],
      [0x3c00, 1],
      [0x3c01, 1.0009765625],
      [0xc000, -2],
      [0x7bff, 65504],
      [0xfbff, -65504],
    ];
    await using file = await openSafetensors(await words('F16', ...cases.map(([bits]) => bits)));
    const wide = await file.read('w');
    expect(wide.type).toBe('float32');
    expect([...(wide.data as Float32Array)]).toEqual(cases.map(([, value]) => value));
    const stored = await file.read('w', { as: 'stored' });
    expect(stored.type).toBe('float16');
    const { buffer } = stored.data as Uint16Array;
    expect([...new Uint16Array(buffer)]).toEqual(cases.map(([bits]) => bits));
  });

  test('BF16 comes in half precision as stored, where that holds every value', async () => {
    const halves = [
      [0x0000, 0x0000],
      [0x8000, 0x8000],
      [0x3f80, 0x3c00],
      [0xbf81, 0xbc08], // -1.0078125
      [0x4049, 0x4248],
      [0x477f, 0x7bf8], // 65280, the largest of both
      [0x3880, 0x0400], // 2^-14, the smallest normal half
      [0x3380, 0x0001], // 2^-24, the smallest half
    ];
    await using file = await openSafetensors(await words('BF16', ...halves.map(([bits]) => bits)));
    const { type, data } = await file.read('w', { as: 'stored' });
    expect(type).toBe('float16');
    expect([...new Uint16Array((data as Uint16Array).buffer)]).toEqual(halves.map(([, half]) => half));
    expect((await file.read('w')).type).toBe('float32');
  });

  test.for([0x3300, 0x4780, 0x3681])('BF16 of bits %i is no half', async (bits) => {
    await using file = await openSafetensors(await words('BF16', 0x3f80, bits));
    const wide = await file.read('w');
    expect(await file.read('w', { as: 'stored' })).toEqual(wide);
  });

  test('BF16 is widened without loss, whatever is asked', async () => {
    const cases = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -133], // smallest subnormal
      [0x0080, 2 ** -126], // smallest normal
      [0x3f80, 1],
      [0xbf81, -1.0078125],
      [0x4049, 3.140625],
      [0x7f7f, 2 ** 127 * 1.9921875],
    ];
    await using file = await openSafetensors(await words('BF16', ...cases.map(([bits]) => bits)));
    for (const as of ['float32', 'stored'] as const) {
      const { type, data } = await file.read('w', { as });
      expect(type).toBe('float32');
      expect([...(data as Float32Array)]).toEqual(cases.map(([, value]) => value));
    }
  });

  test('F64 comes as float32, rounded once', async () => {
    const path = join(await temporaryFolder(), 'd');
    await writeSafetensors(path, [['w', new Tensor('float64', Float64Array.of(Math.PI, 1 + 2 ** -24), [2])]]);
    await using file = await openSafetensors(path);
    expect((await file.read('w')).data).toEqual(Float32Array.of(Math.fround(Math.PI), 1));
  });

  test.for([
    ['F16', 0x7c00],
    ['F16', 0xfe00],
    ['BF16', 0x7f80],
    ['BF16', 0xffc0],
  ] as const)('%s bits %i are refused with their place', async ([dtype, bits]) => {
    await using file = await openSafetensors(await words(dtype, 0x3c00, 0x7bff, bits, bits));
    for (const as of ['float32', 'stored'] as const) {
      await expectError(
        file.read('w', { as }),
        'NOT_FINITE',
        /model\.safetensors: tensor w: .*flat index 2\./,
      );
    }
  });

  test('F32 and F64 that are not finite are refused with their place', async () => {
    const data = new Uint8Array([
      ...new Uint8Array(Float64Array.of(0, 1e300, -Infinity).buffer),
      ...new Uint8Array(Float32Array.of(3, NaN).buffer),
    ]);
    const header = {
      double: { dtype: 'F64', shape: [3], data_offsets: [0, 24] },
      single: { dtype: 'F32', shape: [2], data_offsets: [24, 32] },
    };
    await using file = await openSafetensors(await temporaryFile(safetensorsBytes(header, data)));
    await expectError(file.read('single'), 'NOT_FINITE', /tensor single.*index 1\./);
    await expectError(file.read('double', { as: 'stored' }), 'NOT_FINITE', /tensor double.*index 2\./);
    await expectError(file.read('double'), 'NOT_FINITE', /index 1\./); // 1e300 is no float32
  });
});

describe('reading', () => {
  const bytes = safetensorsBytes({ w: { dtype: 'U8', shape: [4], data_offsets: [0, 4] } }, [1, 2, 3, 4]);

  test('a tensor that is not there names it and the file', async () => {
    await using file = await openSafetensors(await temporaryFile(bytes));
    expect(file.info('v')).toBeUndefined();
    await expectError(file.read('v'), 'MISSING', /model\.safetensors: expected tensor v/);
    await expectError(file.read('toString'), 'MISSING', /tensor toString/);
  });

  test('after close says so', async () => {
    const file = await openSafetensors(await temporaryFile(bytes));
    await file.close();
    await file.close();
    await expectError(file.read('w'), 'DISPOSED', /an open file/);
  });

  test('takes its memory from the caller, also for a wider type', async () => {
    const header = { half: { dtype: 'F16', shape: [2], data_offsets: [0, 4] } };
    await using file = await openSafetensors(
      await temporaryFile(safetensorsBytes(header, [0, 0x3c, 0, 0xc0])),
    );
    const given: ArrayBuffer[] = [];
    const allocate = (size: number): ArrayBuffer => {
      given.push(new ArrayBuffer(size));
      return given.at(-1)!;
    };
    const { data } = await file.read('half', { allocate });
    expect(data).toEqual(Float32Array.of(1, -2));
    expect(given.map(({ byteLength }) => byteLength)).toEqual([4, 8]);
    expect((data as Float32Array).buffer).toBe(given[1]);
  });

  test('memory that there is not is told', async () => {
    await using file = await openSafetensors(await temporaryFile(bytes));
    const allocate = (size: number): ArrayBuffer => new ArrayBuffer(size * 2 ** 60);
    await expectError(
      file.read('w', { allocate }),
      'OUT_OF_MEMORY',
      /model\.safetensors: tensor w: expected 4 bytes of memory.*smaller model/,
    );
  });

  test('stops when aborted', async () => {
    await using file = await openSafetensors(await temporaryFile(bytes));
    const reason = new Error('enough');
    await expect(file.read('w', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect((await file.read('w')).data).toEqual(Uint8Array.of(1, 2, 3, 4));
  });

  test('a file that became shorter is told', async () => {
    const path = await temporaryFile(bytes);
    await using file = await openSafetensors(path);
    await truncate(path, bytes.length - 1);
    await expectError(
      file.read('w'),
      'CORRUPT_FILE',
      /model\.safetensors: tensor w: expected 4 bytes, received 3 bytes; the file was cut short .*download it again/,
    );
  });
});
