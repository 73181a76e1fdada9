import { existsSync } from 'node:fs';
import { cp, mkdir, readdir, readFile, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Tensor } from 'onnxruntime-common';
import { beforeEach, describe, expect, test } from 'vitest';
import { createCheckpoint, openModelFolder, type CheckpointWriter, type Fingerprint } from '../src/index.ts';
import { expectError, temporaryFolder } from './fixtures.ts';

const tensorOf = (...values: number[]): Tensor =>
  new Tensor('float32', Float32Array.from(values), [values.length]);

const CONFIG = { model_type: 'llama', quantization_config: { bits: 4 } };
const FINGERPRINT = { model: 'tales', weightBits: 4, seed: 0 };

let folder: string;
let source: string;
let out: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  source = join(folder, 'source');
  out = join(folder, 'deep', 'out');
  await mkdir(source);
  for (const file of [
    'tokenizer.json',
    'tokenizer_config.json',
    'generation_config.json',
    'README.md',
    'LICENSE',
  ]) {
    await writeFile(join(source, file), `{"of":"${file}"}`, { mode: 0o444 });
  }
});

const begin = (options: { fingerprint?: Fingerprint; resume?: boolean } = {}): Promise<CheckpointWriter> =>
  createCheckpoint(out, { fingerprint: FINGERPRINT, resume: false, ...options });

const [ONE, TWO] = ['model-00001-of-00002', 'model-00002-of-00002'];
const writeOne = (writer: CheckpointWriter) => writer.writeShard(ONE, [['z', tensorOf(1, 2)]]);
const writeTwo = (writer: CheckpointWriter) =>
  writer.writeShard(TWO, [
    ['b', tensorOf(3)],
    ['a', new Tensor('uint8', Uint8Array.of(9), [1])],
  ]);

/** All files of a folder and their bytes. */
async function contents(path: string): Promise<Map<string, string>> {
  const entries = await readdir(path, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return new Map(
    await Promise.all(
      files
        .toSorted()
        .map(async (file) => [file.slice(path.length + 1), await readFile(file, 'hex')] as const),
    ),
  );
}

/** What a run that is never interrupted writes. */
async function uninterrupted(): Promise<Map<string, string>> {
  const path = join(folder, 'whole');
  const writer = await createCheckpoint(path, { fingerprint: FINGERPRINT, resume: false });
  await writeOne(writer);
  await writeTwo(writer);
  await writer.finish(CONFIG, source);
  return contents(path);
}

describe('a finished checkpoint', () => {
  test('appears whole, with shards, index, config and tokenizer, and nothing else', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writer.writeNote('statistics', { layer: 1 });
    await writeTwo(writer);
    expect(existsSync(out)).toBe(false);
    await writer.finish(CONFIG, source);
    expect(await readdir(join(folder, 'deep'))).toEqual(['out']);
    expect((await readdir(out)).toSorted()).toEqual([
      'config.json',
      'generation_config.json',
      `${ONE}.safetensors`,
      `${TWO}.safetensors`,
      'model.safetensors.index.json',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
    expect(JSON.parse(await readFile(join(out, 'config.json'), 'utf8'))).toEqual(CONFIG);
    expect(await readFile(join(out, 'tokenizer.json'), 'utf8')).toBe('{"of":"tokenizer.json"}');
    expect(JSON.parse(await readFile(join(out, 'model.safetensors.index.json'), 'utf8'))).toEqual({
      metadata: { total_size: 13 },
      weight_map: { z: `${ONE}.safetensors`, b: `${TWO}.safetensors`, a: `${TWO}.safetensors` },
    });
  });

  test('opens again, also as a copy in another place', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writeTwo(writer);
    await writer.finish(CONFIG, source);
    await rename(out, join(folder, 'moved'));
    await cp(join(folder, 'moved'), join(folder, 'copy'), { recursive: true });
    await rm(join(folder, 'moved'), { recursive: true });
    await using copy = await openModelFolder(join(folder, 'copy'));
    expect(copy.config).toEqual(CONFIG);
    expect((await copy.tensors.read('b')).data).toEqual(Float32Array.of(3));
  });

  test('of a single shard called model has no index', async () => {
    const writer = await begin();
    await writer.writeShard('model', [['w', tensorOf(1)]]);
    await writer.finish(CONFIG, source);
    expect(existsSync(join(out, 'model.safetensors.index.json'))).toBe(false);
    await using opened = await openModelFolder(out);
    expect([...opened.tensors.names()]).toEqual(['w']);
  });

  test('is not made of shards that share a tensor, nor from a source that is not there', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writer.writeShard('other', [['z', tensorOf(1)]]);
    await expectError(
      writer.finish(CONFIG, source),
      'MISMATCH',
      /tensor z in one shard, received it in model-0.* other/,
    );
    await writer.writeShard('other', [['y', tensorOf(1)]]);
    await expectError(writer.finish(CONFIG, join(folder, 'no')), 'MISSING', /no: /);
    await writer.finish(CONFIG, source);
    expect(existsSync(out)).toBe(true);
  });
});

describe('an output that exists', () => {
  test('is never written to', async () => {
    await mkdir(out, { recursive: true });
    for (const resume of [false, true]) {
      await expectError(begin({ resume }), 'EXISTS', /out: expected a path that is free/);
    }
    expect(await readdir(join(folder, 'deep'))).toEqual(['out']);
    expect(await readdir(out)).toEqual([]);
  });

  test('and came into being during the run is kept, and so is the run', async () => {
    const writer = await begin();
    await writeOne(writer);
    await mkdir(out);
    await expectError(writer.finish(CONFIG, source), 'EXISTS', /out: /);
    expect(await readdir(out)).toEqual([]);
    await rm(out, { recursive: true });
    const resumed = await begin({ resume: true });
    expect([...resumed.finished]).toEqual([ONE]);
  });

  test('but is unfinished asks for --resume', async () => {
    await writeOne(await begin());
    const before = await contents(`${out}.partial`);
    await expectError(begin(), 'EXISTS', /out\.partial: .*; --resume to continue it or delete the folder\./);
    expect(await contents(`${out}.partial`)).toEqual(before);
  });
});

describe('a resumed run', () => {
  test('without an unfinished one just starts', async () => {
    const writer = await begin({ resume: true });
    expect(writer.finished.size).toBe(0);
    expect(await writer.readNote('statistics')).toBeUndefined();
  });

  test('has the finished shards and the notes, and ends with the same bytes', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writer.writeNote('statistics', { layer: 1, maxima: [0.5, -1] });
    // Killed while it wrote the second shard, a note, and before the journal knew of a third.
    const partial = `${out}.partial`;
    await writeFile(join(partial, `${TWO}.safetensors.tmp`), 'half');
    await writeFile(join(partial, '.resume', 'note-statistics.json.tmp'), '{"layer":');
    await writeFile(join(partial, 'model-00003-of-00002.safetensors'), 'not in the journal');

    const resumed = await begin({ resume: true });
    expect([...resumed.finished]).toEqual([ONE]);
    expect(await resumed.readNote('statistics')).toEqual({ layer: 1, maxima: [0.5, -1] });
    expect((await readdir(partial)).toSorted()).toEqual(['.resume', `${ONE}.safetensors`]);
    await writeTwo(resumed);
    expect([...resumed.finished]).toEqual([ONE, TWO]);
    await resumed.finish(CONFIG, source);
    expect(await contents(out)).toEqual(await uninterrupted());
  });

  test('can go on with a log that is part of the folder', async () => {
    const writer = await begin();
    await writer.writeJson('log.json', [1]);
    const resumed = await begin({ resume: true });
    expect(await resumed.readJson('log.json')).toEqual([1]);
    expect(await resumed.readJson('other.json')).toBeUndefined();
    await resumed.writeJson('log.json', [1, 2]);
    await writeOne(resumed);
    await resumed.finish(CONFIG, source);
    expect(JSON.parse(await readFile(join(out, 'log.json'), 'utf8'))).toEqual([1, 2]);
  });

  test('of a copied folder goes on there', async () => {
    await writeOne(await begin());
    await cp(`${out}.partial`, join(folder, 'elsewhere.partial'), { recursive: true });
    await rm(join(folder, 'deep'), { recursive: true });
    out = join(folder, 'elsewhere');
    const resumed = await begin({ resume: true });
    await writeTwo(resumed);
    await resumed.finish(CONFIG, source);
    expect(await contents(out)).toEqual(await uninterrupted());
  });

  test('that was killed while finishing finishes', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writeTwo(writer);
    await mkdir(out); // makes the rename impossible, the last step
    await expectError(writer.finish(CONFIG, source), 'EXISTS', /out/);
    await rm(out, { recursive: true });
    const resumed = await begin({ resume: true });
    expect([...resumed.finished]).toEqual([ONE, TWO]);
    await resumed.finish(CONFIG, source);
    expect(await contents(out)).toEqual(await uninterrupted());
  });

  test('does a shard again that is missing or has another size', async () => {
    const writer = await begin();
    await writeOne(writer);
    await writeTwo(writer);
    await truncate(join(`${out}.partial`, `${ONE}.safetensors`), 20);
    await rm(join(`${out}.partial`, `${TWO}.safetensors`));
    const resumed = await begin({ resume: true });
    expect(resumed.finished.size).toBe(0);
    await writeTwo(resumed);
    await writeOne(resumed);
    await resumed.finish(CONFIG, source);
    expect(await contents(out)).toEqual(await uninterrupted());
  });

  test('of other settings is refused', async () => {
    await writeOne(await begin());
    const before = await contents(`${out}.partial`);
    await expectError(
      begin({ resume: true, fingerprint: { model: 'tales', weightBits: 2, steps: 4 } }),
      'MISMATCH',
      /one with weightBits 2 instead of 4, seed nothing instead of 0, steps 4 instead of nothing; resume with .* or delete/,
    );
    expect(await contents(`${out}.partial`)).toEqual(before);
  });

  test("leaves somebody else's folder alone", async () => {
    await mkdir(`${out}.partial`, { recursive: true });
    await writeFile(join(`${out}.partial`, 'thesis.safetensors'), 'years of work');
    await expectError(
      begin({ resume: true }),
      'CORRUPT_FILE',
      /without a journal that has thesis\.safetensors/,
    );
    expect(await readFile(join(`${out}.partial`, 'thesis.safetensors'), 'utf8')).toBe('years of work');
  });

  test('with a journal that is not one is refused', async () => {
    await begin();
    const journal = join(`${out}.partial`, '.resume', 'journal.json');
    await writeFile(journal, '{"fingerprint":1}');
    await expectError(
      begin({ resume: true }),
      'CORRUPT_FILE',
      /journal\.json: .*delete the unfinished folder/,
    );
    await writeFile(journal, '{"finge');
    await expectError(begin({ resume: true }), 'CORRUPT_FILE', /journal\.json: expected JSON/);
  });
});

test('names that are no file names are refused', async () => {
  const writer = await begin();
  for (const name of ['', '../x', 'a/b', '.hidden', 'a\\b', 'ü']) {
    await expectError(writer.writeShard(name, []), 'INVALID_ARGUMENT', /a name of letters/);
    await expectError(writer.writeNote(name, 1), 'INVALID_ARGUMENT', /a name of letters/);
    await expectError(writer.writeJson(name, 1), 'INVALID_ARGUMENT', /a name of letters/);
  }
});

test('a full disk is told and loses nothing', async (context) => {
  if (!existsSync('/dev/full')) context.skip('the system has no /dev/full');
  const writer = await begin();
  await writeOne(writer);
  await symlink('/dev/full', join(`${out}.partial`, `${TWO}.safetensors.tmp`));
  await expectError(writeTwo(writer), 'OUT_OF_MEMORY', /00002\.safetensors: expected room on the disk/);
  expect([...writer.finished]).toEqual([ONE]);
  const resumed = await begin({ resume: true });
  expect([...resumed.finished]).toEqual([ONE]);
  await writeTwo(resumed);
  await resumed.finish(CONFIG, source);
  expect(await contents(out)).toEqual(await uninterrupted());
});
