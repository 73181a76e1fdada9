import { Tensor } from 'onnxruntime-common';
import { beforeEach, describe, expect, test } from 'vitest';
import { createCheckpoint, openModelFolder, type CheckpointWriter, type Fingerprint } from '../src/index.ts';
import { expectError, tensorOf } from './any-fixtures.ts';
import type { Place } from './place.ts';

const CONFIG = { model_type: 'llama', quantization_config: { bits: 4 } };
const FINGERPRINT = { model: 'tales', weightBits: 4, seed: 0 };
const [ONE, TWO] = ['model-00001-of-00002', 'model-00002-of-00002'];
const writeOne = (writer: CheckpointWriter) => writer.writeShard(ONE, [['z', tensorOf(1, 2)]]);
const writeTwo = (writer: CheckpointWriter) =>
  writer.writeShard(TWO, [
    ['b', tensorOf(3)],
    ['a', new Tensor('uint8', Uint8Array.of(9), [1])],
  ]);

/** The writer of checkpoints over the store of a place. */
export function describeWriter(openPlace: () => Promise<Place>): void {
  let place: Place;
  let source: string;
  let out: string;
  const at = (...names: string[]): string => place.files.join(place.root, ...names);

  beforeEach(async () => {
    place = await openPlace();
    source = at('source');
    out = at('deep', 'out');
    for (const file of [
      'tokenizer.json',
      'tokenizer_config.json',
      'generation_config.json',
      'README.md',
      'LICENSE',
    ]) {
      await place.put(at('source', file), `{"of":"${file}"}`);
      await place.protect(at('source', file));
    }
  });

  const begin = (options: { fingerprint?: Fingerprint; resume?: boolean } = {}): Promise<CheckpointWriter> =>
    createCheckpoint(out, { fingerprint: FINGERPRINT, resume: false, files: place.files, ...options });

  /** What a run that is never interrupted writes. */
  async function uninterrupted(): Promise<Map<string, Uint8Array>> {
    const { files } = place;
    const writer = await createCheckpoint(at('whole'), { fingerprint: FINGERPRINT, resume: false, files });
    await writeOne(writer);
    await writeTwo(writer);
    await writer.finish(CONFIG, source);
    return place.contents(at('whole'));
  }

  describe('a finished checkpoint', () => {
    test('appears whole, with shards, index, config and tokenizer, and nothing else', async () => {
      const writer = await begin();
      await writeOne(writer);
      await writer.writeNote('statistics', { layer: 1 });
      await writeTwo(writer);
      expect(await place.exists(out)).toBe(false);
      await writer.finish(CONFIG, source);
      expect(await place.names(at('deep'))).toEqual(['out']);
      expect(await place.names(out)).toEqual([
        'config.json',
        'generation_config.json',
        `${ONE}.safetensors`,
        `${TWO}.safetensors`,
        'model.safetensors.index.json',
        'tokenizer.json',
        'tokenizer_config.json',
      ]);
      expect(JSON.parse(await place.text(place.files.join(out, 'config.json')))).toEqual(CONFIG);
      expect(await place.text(place.files.join(out, 'tokenizer.json'))).toBe('{"of":"tokenizer.json"}');
      expect(JSON.parse(await place.text(place.files.join(out, 'model.safetensors.index.json')))).toEqual({
        metadata: { total_size: 13 },
        weight_map: { z: `${ONE}.safetensors`, b: `${TWO}.safetensors`, a: `${TWO}.safetensors` },
      });
    });

    test('opens again, also as a copy in another place', async () => {
      const writer = await begin();
      await writeOne(writer);
      await writeTwo(writer);
      await writer.finish(CONFIG, source);
      await place.files.move(out, at('moved'));
      await place.copy(at('moved'), at('copy'));
      await place.files.remove(at('moved'));
      await using copy = await openModelFolder(at('copy'), { files: place.files });
      expect(copy.config).toEqual(CONFIG);
      expect((await copy.tensors.read('b')).data).toEqual(Float32Array.of(3));
    });

    test('of a single shard called model has no index', async () => {
      const writer = await begin();
      await writer.writeShard('model', [['w', tensorOf(1)]]);
      await writer.finish(CONFIG, source);
      expect(await place.exists(place.files.join(out, 'model.safetensors.index.json'))).toBe(false);
      await using opened = await openModelFolder(out, { files: place.files });
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
      await expectError(writer.finish(CONFIG, at('no')), 'MISSING', /no: /);
      await writer.finish(CONFIG, source);
      expect(await place.exists(out)).toBe(true);
    });
  });

  describe('an output that exists', () => {
    test('is never written to', async () => {
      await place.files.makeFolder(out);
      for (const resume of [false, true]) {
        await expectError(begin({ resume }), 'EXISTS', /out: expected a path that is free/);
      }
      expect(await place.names(at('deep'))).toEqual(['out']);
      expect(await place.names(out)).toEqual([]);
    });

    test('and came into being during the run is kept, and so is the run', async () => {
      const writer = await begin();
      await writeOne(writer);
      await place.files.makeFolder(out);
      await expectError(writer.finish(CONFIG, source), 'EXISTS', /out: /);
      expect(await place.names(out)).toEqual([]);
      await place.files.remove(out);
      const resumed = await begin({ resume: true });
      expect([...resumed.finished]).toEqual([ONE]);
    });

    test('but is unfinished asks for --resume', async () => {
      await writeOne(await begin());
      const before = await place.contents(`${out}.partial`);
      await expectError(
        begin(),
        'EXISTS',
        /out\.partial: .*; --resume to continue it or delete the folder\./,
      );
      expect(await place.contents(`${out}.partial`)).toEqual(before);
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
      await place.put(place.files.join(partial, `${TWO}.safetensors.tmp`), 'half');
      await place.put(place.files.join(partial, '.resume', 'note-statistics.json.tmp'), '{"layer":');
      await place.put(place.files.join(partial, 'model-00003-of-00002.safetensors'), 'not in the journal');

      const resumed = await begin({ resume: true });
      expect([...resumed.finished]).toEqual([ONE]);
      expect(await resumed.readNote('statistics')).toEqual({ layer: 1, maxima: [0.5, -1] });
      expect(await place.names(partial)).toEqual(['.resume', `${ONE}.safetensors`]);
      await writeTwo(resumed);
      expect([...resumed.finished]).toEqual([ONE, TWO]);
      await resumed.finish(CONFIG, source);
      expect(await place.contents(out)).toEqual(await uninterrupted());
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
      expect(JSON.parse(await place.text(place.files.join(out, 'log.json')))).toEqual([1, 2]);
    });

    test('of a copied folder goes on there', async () => {
      await writeOne(await begin());
      await place.copy(`${out}.partial`, at('elsewhere.partial'));
      await place.files.remove(at('deep'));
      out = at('elsewhere');
      const resumed = await begin({ resume: true });
      await writeTwo(resumed);
      await resumed.finish(CONFIG, source);
      expect(await place.contents(out)).toEqual(await uninterrupted());
    });

    test('that was killed while finishing finishes', async () => {
      const writer = await begin();
      await writeOne(writer);
      await writeTwo(writer);
      await place.files.makeFolder(out); // makes the rename impossible, the last step
      await expectError(writer.finish(CONFIG, source), 'EXISTS', /out/);
      await place.files.remove(out);
      const resumed = await begin({ resume: true });
      expect([...resumed.finished]).toEqual([ONE, TWO]);
      await resumed.finish(CONFIG, source);
      expect(await place.contents(out)).toEqual(await uninterrupted());
    });

    test('does a shard again that is missing or has another size', async () => {
      const writer = await begin();
      await writeOne(writer);
      await writeTwo(writer);
      await place.resize(place.files.join(`${out}.partial`, `${ONE}.safetensors`), 20);
      await place.files.remove(place.files.join(`${out}.partial`, `${TWO}.safetensors`));
      const resumed = await begin({ resume: true });
      expect(resumed.finished.size).toBe(0);
      await writeTwo(resumed);
      await writeOne(resumed);
      await resumed.finish(CONFIG, source);
      expect(await place.contents(out)).toEqual(await uninterrupted());
    });

    test('of other settings is refused', async () => {
      await writeOne(await begin());
      const before = await place.contents(`${out}.partial`);
      await expectError(
        begin({ resume: true, fingerprint: { model: 'tales', weightBits: 2, steps: 4 } }),
        'MISMATCH',
        /one with weightBits 2 instead of 4, seed nothing instead of 0, steps 4 instead of nothing; resume with .* or delete/,
      );
      expect(await place.contents(`${out}.partial`)).toEqual(before);
    });

    test("leaves somebody else's folder alone", async () => {
      await place.files.makeFolder(`${out}.partial`);
      await place.put(place.files.join(`${out}.partial`, 'thesis.safetensors'), 'years of work');
      await expectError(
        begin({ resume: true }),
        'CORRUPT_FILE',
        /without a journal that has thesis\.safetensors/,
      );
      expect(await place.text(place.files.join(`${out}.partial`, 'thesis.safetensors'))).toBe(
        'years of work',
      );
    });

    test('with a journal that is not one is refused', async () => {
      await begin();
      const journal = place.files.join(`${out}.partial`, '.resume', 'journal.json');
      await place.put(journal, '{"fingerprint":1}');
      await expectError(
        begin({ resume: true }),
        'CORRUPT_FILE',
        /journal\.json: .*delete the unfinished folder/,
      );
      await place.put(journal, '{"finge');
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
}
