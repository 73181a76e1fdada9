import { existsSync } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { createCheckpoint } from '../src/index.ts';
import { expectError, temporaryFolder, tensorOf } from './fixtures.ts';
import { places } from './places.ts';
import { describeWriter } from './writer-suite.ts';

describe.each(Object.keys(places))('on %s', (name) => {
  describeWriter(places[name]);
});

test('a full disk is told and loses nothing', async (context) => {
  if (!existsSync('/dev/full')) context.skip('the system has no /dev/full');
  const out = join(await temporaryFolder(), 'out');
  const begin = (resume: boolean) => createCheckpoint(out, { fingerprint: {}, resume });
  const writer = await begin(false);
  await writer.writeShard('one', [['a', tensorOf(1)]]);
  await symlink('/dev/full', join(`${out}.partial`, 'two.safetensors.tmp'));
  const writeTwo = () => writer.writeShard('two', [['b', tensorOf(2)]]);
  await expectError(writeTwo(), 'OUT_OF_MEMORY', /two\.safetensors: expected room on the disk/);
  expect([...writer.finished]).toEqual(['one']);
  expect([...(await begin(true)).finished]).toEqual(['one']);
  await writeTwo();
  expect([...(await begin(true)).finished]).toEqual(['one', 'two']);
});
