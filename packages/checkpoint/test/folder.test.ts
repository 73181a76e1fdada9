import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openModelFolder, openSafetensors } from '../src/index.ts';
import { sharedOrSkip } from './fixtures.ts';
import { describeFolder } from './folder-suite.ts';
import { places } from './places.ts';

describe.each(Object.keys(places))('on %s', (name) => {
  describeFolder(places[name]);
});

test('a trained checkpoint in half precision reads as float32 and as stored', async (context) => {
  const models = join(sharedOrSkip(context), 'models');
  await using tales = await openModelFolder(join(models, 'tales'));
  const name = 'model.layers.0.mlp.down_proj.weight';
  expect(tales.tensors.info(name)).toMatchObject({ dtype: 'F16', shape: [256, 640], bytes: 2 * 256 * 640 });
  const wide = (await tales.tensors.read(name)).data as Float32Array;
  await using file = await openSafetensors(join(models, 'tales', 'model.safetensors'));
  const { type, data } = await file.read(name, { as: 'stored' });
  expect(type).toBe('float16');
  const bits = new Uint16Array((data as Uint16Array).buffer);
  for (const i of [0, 1, 639, 640, wide.length - 1]) {
    const fraction = (bits[i] & 0x3ff) / 1024;
    const exponent = (bits[i] >> 10) & 0x1f;
    const value = exponent === 0 ? fraction * 2 ** -14 : (1 + fraction) * 2 ** (exponent - 15);
    expect(wide[i]).toBe(bits[i] >> 15 === 1 ? -value : value);
  }
});
