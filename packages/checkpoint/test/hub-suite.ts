import { beforeEach, expect, test } from 'vitest';
import {
  openModelFolder,
  resolveModel,
  type DownloadProgress,
  type ResolveModelOptions,
} from '../src/index.ts';
import { expectError } from './any-fixtures.ts';
import { answerOf, COMMIT, ONE, REPOSITORY } from './hub-answers.ts';
import type { Place } from './place.ts';

/** Downloads into a store without links, from a hub that is a function. */
export function describeDownloads(openPlace: () => Promise<Place>): void {
  let place: Place;
  let requests: string[];
  /** What `one.safetensors` comes as, in place of what it is. */
  let spoiled: ((body: Uint8Array<ArrayBuffer>) => BodyInit) | undefined;
  beforeEach(async () => {
    place = await openPlace();
    requests = [];
    spoiled = undefined;
  });
  const hub: typeof fetch = async (input, init) => {
    init?.signal?.throwIfAborted();
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const range = new Headers(init?.headers).get('Range');
    const { status, headers, body, file } = answerOf(REPOSITORY, pathname, range);
    if (file !== undefined && range !== 'bytes=0-0') requests.push(`${file} ${range ?? 'whole'}`);
    const isSpoiled = file === 'one.safetensors' && range !== 'bytes=0-0';
    return new Response(isSpoiled && spoiled ? spoiled(body) : body, { status, headers });
  };
  const resolve = (options: ResolveModelOptions = {}): Promise<string> =>
    resolveModel('owner/model', {
      files: place.files,
      cacheDir: place.root,
      hubUrl: 'http://localhost',
      fetch: hub,
      ...options,
    });
  const incomplete = (): string => place.files.join(folder(), 'one.safetensors.incomplete');
  const folder = (): string => place.files.join(place.root, 'models--owner--model', 'snapshots', COMMIT);
  /** The first ten bytes, and then never anything more. */
  const stuck = (body: Uint8Array): ReadableStream =>
    new ReadableStream({ start: (controller) => controller.enqueue(body.slice(0, 10)) });

  test('lie under their names in a folder by id and commit', async () => {
    const progress: DownloadProgress[] = [];
    const path = await resolve({ onProgress: (state: DownloadProgress) => progress.push(state) });
    expect(path).toBe(folder());
    expect(await place.names(path)).toEqual([
      'config.json',
      'model.safetensors.index.json',
      'one.safetensors',
      'tokenizer.json',
      'two.safetensors',
    ]);
    await using opened = await openModelFolder(path, { files: place.files });
    expect((await opened.tensors.read('a')).data).toEqual(Uint8Array.of(1, 2, 3, 4));
    const last = progress.at(-1)!;
    expect(last.loadedBytes).toBe(last.totalBytes);
  });

  test('are not made again', async () => {
    const path = await resolve();
    requests.length = 0;
    expect(await resolve()).toBe(path);
    expect(requests).toEqual([]);
  });

  test('that were aborted keep what came and go on there', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    spoiled = stuck;
    const onProgress = ({ file }: DownloadProgress): void => {
      if (file === 'one.safetensors') controller.abort(reason);
    };
    await expect(resolve({ signal: controller.signal, onProgress })).rejects.toBe(reason);
    expect((await place.files.stat(incomplete()))?.size).toBe(10);
    await expectError(
      openModelFolder(folder(), { files: place.files }),
      'MISSING',
      /one\.safetensors: .*nothing at that path/,
    );

    spoiled = undefined;
    requests.length = 0;
    await resolve();
    expect(requests).toEqual([
      `one.safetensors bytes=10-${ONE.length - 1}`,
      expect.stringMatching(/^two\.safetensors /),
    ]);
    await using opened = await openModelFolder(folder(), { files: place.files });
    expect((await opened.tensors.read('a')).data).toEqual(Uint8Array.of(1, 2, 3, 4));
    expect(await place.exists(incomplete())).toBe(false);
  });

  test('that do not match their hash are refused and removed', async () => {
    spoiled = (body) => body.slice().fill(9, 0, 1);
    await expectError(resolve(), 'CORRUPT_FILE', /one\.safetensors: .*with hash .*download it again/);
    expect(await place.exists(incomplete())).toBe(false);
    spoiled = undefined;
    await resolve();
  });

  test('for which there is no room are refused before weights come', async () => {
    const files = { ...place.files, room: () => Promise.resolve(100) };
    await expectError(
      resolve({ files }),
      'OUT_OF_MEMORY',
      /^owner\/model: expected room for \d+ bytes of files, received 100 bytes that may still be written; free some/,
    );
    expect(requests.filter((request) => request.startsWith('one') || request.startsWith('two'))).toEqual([]);
  });
}
