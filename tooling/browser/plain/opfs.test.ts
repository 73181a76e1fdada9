import { createCheckpoint, openModelFolder, openOpfsFiles } from '@spikellm/checkpoint';
import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { expectError, tensorOf } from '../../../packages/checkpoint/test/any-fixtures.ts';
import { describeFolder } from '../../../packages/checkpoint/test/folder-suite.ts';
import { describeDownloads } from '../../../packages/checkpoint/test/hub-suite.ts';
import { placeIn, type Place } from '../../../packages/checkpoint/test/place.ts';
import { describeStore } from '../../../packages/checkpoint/test/store-suite.ts';
import { describeWriter } from '../../../packages/checkpoint/test/writer-suite.ts';
import { openWorkerFiles, type WorkerFiles } from '../pages/files-page.ts';

let opened: WorkerFiles | undefined;
const open = (): WorkerFiles => (opened ??= openWorkerFiles());
const kill = (): void => {
  opened?.kill();
  opened = undefined;
};

let folders = 0;
const openPlace = async (): Promise<Place> => {
  const { files } = open();
  const root = `test-${++folders}`;
  await files.makeFolder(root);
  return placeIn(files, root);
};

afterEach(async () => {
  await open().files.remove(`test-${folders}`);
});
afterAll(kill);

describe('the store of private files', () => {
  describeStore(openPlace);

  it('knows how much may still be written', async () => {
    expect(await open().files.room?.()).toBeGreaterThan(1e6);
  });

  it('is read in a page, which is told that it cannot write', async () => {
    const place = await openPlace();
    await place.put(`${place.root}/file`, 'text');
    const files = await openOpfsFiles();
    expect(await placeIn(files, place.root).text(`${place.root}/file`)).toBe('text');
    await expectError(
      files.create(`${place.root}/other`),
      'UNSUPPORTED',
      /other: expected a worker, .*received a page/,
    );
  });
});

describe('a model folder in private files', () => {
  describeFolder(openPlace);
});
describe('a checkpoint in private files', () => {
  describeWriter(openPlace);
});
describe('downloads into private files', () => {
  describeDownloads(openPlace);
});

describe('a page that is closed', () => {
  const SHARDS = ['one', 'two'];
  const begin = ({ files, root }: Place, resume: boolean, out = 'out') =>
    createCheckpoint(files.join(root, out), { fingerprint: { seed: 0 }, resume, files });
  const config = { model_type: 'llama' };
  /** Writes what is missing. */
  const finish = async (place: Place, resume: boolean, out?: string): Promise<void> => {
    const writer = await begin(place, resume, out);
    for (const [i, name] of SHARDS.entries())
      if (!writer.finished.has(name)) await writer.writeShard(name, [[name, tensorOf(i, i)]]);
    await writer.finish(config, place.root);
  };
  /** The place of the next visit. */
  const visitAgain = ({ root }: Place): Place => {
    kill();
    return placeIn(open().files, root);
  };

  it('in the middle of a shard goes on after the last whole one, to the same bytes', async () => {
    let place = await openPlace();
    await finish(place, false, 'whole');
    const expected = await place.contents(`${place.root}/whole`);
    const writer = await begin(place, false);
    await writer.writeShard('one', [['one', tensorOf(0, 0)]]);
    const half = await place.files.create(`${place.root}/out.partial/two.safetensors.tmp`);
    await half.write(Uint8Array.of(1, 2, 3), 0); // and never closed

    place = visitAgain(place);
    const { files, root } = place;
    await expectError(openModelFolder(`${root}/out`, { files }), 'MISSING', /out: .*nothing at that path/);
    await expectError(
      openModelFolder(`${root}/out.partial`, { files }),
      'MISSING',
      /config\.json: .*nothing/,
    );
    await expectError(begin(place, false), 'EXISTS', /out\.partial: .*--resume/);
    expect([...(await begin(place, true)).finished]).toEqual(['one']);
    await finish(place, true);
    expect(await place.contents(`${root}/out`)).toEqual(expected);
    expect(await place.names(root)).toEqual(['out', 'whole']);
  });

  it.for([0, 1, 2, 4, 8, 16])(
    '%d milliseconds after it began to move a folder has moved it or not',
    async (wait) => {
      let place = await openPlace();
      const { files, root } = place;
      for (let i = 0; i < 20; i++) await place.put(`${root}/from/deep/${i}`, String(i));
      const before = await place.contents(`${root}/from`);
      void files.move(`${root}/from`, `${root}/to`);
      await new Promise((resolve) => setTimeout(resolve, wait));

      place = visitAgain(place);
      const names = await place.names(root);
      expect([['from'], ['to']]).toContainEqual(names);
      expect(await place.contents(`${root}/${names[0]}`)).toEqual(before);
    },
  );

  it('after half of the files of a folder were moved moves the others', async () => {
    let place = await openPlace();
    const { root } = place;
    await place.put(`${root}/from/deep/a`, '1');
    await place.put(`${root}/to/deep/b`, '2');
    await place.put('.moving.json', JSON.stringify({ from: `${root}/from`, to: `${root}/to` }));

    place = visitAgain(place);
    expect(await place.names(root)).toEqual(['to']);
    expect([...(await place.contents(`${root}/to`)).keys()]).toEqual(['deep/a', 'deep/b']);
    expect(await place.exists('.moving.json')).toBe(false);
  });

  it('leaves a file that was deleted meanwhile as one sentence', async () => {
    const place = await openPlace();
    const { files, root } = place;
    await finish(place, false);
    await files.remove(`${root}/out/two.safetensors`);
    await expectError(
      openModelFolder(`${root}/out`, { files }),
      'MISSING',
      /two\.safetensors: .*nothing at that path/,
    );
  });
});
