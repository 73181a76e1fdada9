import { existsSync } from 'node:fs';
import { goldenPath } from '@spikellm/golden';
import { describe, expect, test, type TestContext } from 'vitest';
import { readableTypes } from '../src/gguf/blocks.ts';
import { openGgufFile, type GgufFile } from '../src/gguf/file.ts';
import { openSafetensors } from '../src/index.ts';
import { expectError, temporaryFile } from './fixtures.ts';
import { ggufBytes } from './gguf-fixtures.ts';

/** What gguf-py wrote and decoded, one tensor a type; a folder of golden numbers may lack it. */
function goldenOrSkip(context: TestContext): { blocks: string; values: string } {
  const [blocks, values] = ['gguf/blocks.gguf', 'gguf/blocks.safetensors'].map(goldenPath);
  if (!existsSync(blocks)) context.skip('SPIKELLM_GOLDEN_DIR has no gguf/blocks.gguf');
  return { blocks, values };
}

async function readWhole(file: GgufFile, name: string): Promise<Float32Array> {
  const stored = file.tensors.get(name)!;
  return (await file.read(name, { stored, shape: stored.shape, first: 0 })).data as Float32Array;
}

test('every type of the golden file is equal bit for bit, or refused by its name', async (context) => {
  const { blocks, values } = goldenOrSkip(context);
  await using file = await openGgufFile(blocks);
  await using golden = await openSafetensors(values);
  const compared: string[] = [];
  for (const { name, type, shape } of file.tensors.values()) {
    if (!readableTypes.includes(type.name)) {
      await expectError(
        readWhole(file, name),
        'UNSUPPORTED',
        new RegExp(`tensor ${name}: .*received ${name};`),
      );
      continue;
    }
    const expected = await golden.read(name);
    expect({ name, shape }).toEqual({ name, shape: expected.dims });
    const bits = (floats: Float32Array) => new Uint32Array(floats.buffer);
    expect({ name, bits: bits(await readWhole(file, name)) }).toEqual({
      name,
      bits: bits(expected.data as Float32Array),
    });
    compared.push(name);
  }
  expect(compared.toSorted()).toEqual(
    'BF16 F16 F32 IQ4_NL MXFP4 Q2_K Q3_K Q4_0 Q4_1 Q4_K Q5_0 Q5_1 Q5_K Q6_K Q8_0 TQ1_0 TQ2_0'.split(' '),
  );
});

/** One block of a type with a scale of -2, at the given place, around bytes that count up. */
async function oneBlock(type: number, values: number, bytes: number, scaleAt: number): Promise<Float32Array> {
  const data = Uint8Array.from({ length: bytes }, (_, i) => (i * 37 + 11) & 255);
  data.set([0x00, 0xc0], scaleAt);
  const path = await temporaryFile(ggufBytes({ tensors: [{ name: 't', dimensions: [values], type, data }] }));
  await using file = await openGgufFile(path);
  return readWhole(file, 't');
}

describe('types that gguf-py cannot decode', () => {
  test('Q2_0 has four values a byte, the first in the lowest bits', async () => {
    const byte = (i: number) => (i * 37 + 11) & 255;
    const expected = Array.from(
      { length: 64 },
      (_, i) => -2 * (((byte(2 + (i >> 2)) >> (2 * (i % 4))) & 3) - 1),
    );
    expect([...(await oneBlock(42, 64, 18, 0))]).toEqual(expected);
  });

  test('Q1_0 has eight signs a byte, the first in the lowest bit', async () => {
    const values = await oneBlock(41, 128, 18, 0);
    // Byte 2 is 85, the bits 1, 0, 1, 0 and so on from the lowest up.
    expect(values.slice(0, 8)).toEqual(Float32Array.of(-2, 2, -2, 2, -2, 2, -2, 2));
    expect(new Set(values)).toEqual(new Set([2, -2]));
  });
});

test('tensors larger than a piece, in blocks, are read whole', async () => {
  const rows = 2 ** 12;
  const data = new Uint8Array(rows * 10 * 34);
  for (let block = 0; block < rows * 10; block++) {
    data.set([0x00, 0x3c, block & 127], 34 * block); // a scale of 1, then the block's number
  }
  const path = await temporaryFile(
    ggufBytes({ tensors: [{ name: 't', dimensions: [320, rows], type: 8, data }] }),
  );
  await using file = await openGgufFile(path);
  const stored = file.tensors.get('t')!;
  const flipped = {
    stored,
    shape: [rows, 320],
    first: 0,
    order: { length: 320, placeOf: (row: number) => rows - 1 - row },
  };
  const values = (await file.read('t', flipped)).data as Float32Array;
  const firsts = Array.from({ length: rows * 10 }, (_, block) => values[32 * block]);
  const expected = firsts.map((_, block) => ((rows - 1 - Math.floor(block / 10)) * 10 + (block % 10)) & 127);
  expect(firsts).toEqual(expected);
});
