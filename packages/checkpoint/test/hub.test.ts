import { lstat, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { openModelFolder, resolveModel, type DownloadProgress } from '../src/index.ts';
import { expectError, temporaryFolder } from './fixtures.ts';
import { COMMIT, ONE, REPOSITORY, text, TWO } from './hub-answers.ts';
import { startHub, type Hub } from './hub-server.ts';

describe('a folder', () => {
  test('is given back as it is, and nothing is asked of the hub', async () => {
    const folder = await temporaryFolder();
    const fetch = vi.fn<typeof globalThis.fetch>();
    expect(await resolveModel(folder, { fetch })).toBe(folder);
    expect(fetch).not.toHaveBeenCalled();
  });

  test.for([
    '',
    './models/tales',
    '/models/tales',
    'tales',
    'a/b/c',
    '../tales',
    'owner/..',
    'a b/c',
    'owner/',
  ])('that is not there and no hub id is told so: %j', async (name) => {
    const fetch = vi.fn<typeof globalThis.fetch>();
    await expectError(
      resolveModel(name, { fetch }),
      'MISSING',
      /a model folder, or a Hugging Face id.*received neither/,
    );
    expect(fetch).not.toHaveBeenCalled();
  });

  test('that is a file is told so', async () => {
    const path = join(await temporaryFolder(), 'model.safetensors');
    await writeFile(path, '');
    await expectError(resolveModel(path), 'MISSING', /received a file/);
  });
});

describe('a hub id', () => {
  let hub: Hub;
  let cacheDir: string;
  const resolve = (options: object = {}, name = 'owner/model'): Promise<string> =>
    resolveModel(name, { hubUrl: hub.url, cacheDir, ...options });
  const blobs = (): Promise<string[]> => readdir(join(cacheDir, 'models--owner--model', 'blobs'));

  beforeEach(async () => {
    hub = await startHub();
    cacheDir = await temporaryFolder();
  });

  test('is downloaded into the layout of the Hugging Face cache, without what is not needed', async () => {
    const progress: DownloadProgress[] = [];
    const path = await resolve({ onProgress: (state: DownloadProgress) => progress.push(state) });
    expect(path).toBe(join(cacheDir, 'models--owner--model', 'snapshots', COMMIT));
    const wanted = [
      'config.json',
      'model.safetensors.index.json',
      'one.safetensors',
      'tokenizer.json',
      'two.safetensors',
    ];
    expect((await readdir(path)).toSorted()).toEqual(wanted);
    expect((await lstat(join(path, 'one.safetensors'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(cacheDir, 'models--owner--model', 'refs', 'main'), 'utf8')).toBe(COMMIT);
    await using folder = await openModelFolder(path);
    expect((await folder.tensors.read('a')).data).toEqual(Uint8Array.of(1, 2, 3, 4));

    const totalBytes = wanted.reduce((sum, file) => sum + REPOSITORY[file].length, 0);
    expect(new Set(progress.map((state) => state.totalBytes))).toEqual(new Set([totalBytes]));
    const loaded = progress.map((state) => state.loadedBytes);
    expect(loaded).toEqual(loaded.toSorted((a, b) => a - b));
    expect(progress.at(-1)).toEqual({ file: 'two.safetensors', loadedBytes: totalBytes, totalBytes });
  });

  test('is not downloaded again', async () => {
    const path = await resolve();
    hub.requests.length = 0;
    expect(await resolve()).toBe(path);
    expect(hub.requests.filter((request) => request.includes('/resolve/'))).toEqual([]);
  });

  test('with weights in one file takes that file', async () => {
    hub.files = { 'config.json': text({}), 'model.safetensors': ONE, 'other.safetensors': TWO };
    expect((await readdir(await resolve())).toSorted()).toEqual(['config.json', 'model.safetensors']);
  });

  test('prints nothing', async () => {
    const spies = (['log', 'info', 'debug', 'warn'] as const).map((level) => vi.spyOn(console, level));
    await resolve();
    for (const spy of spies) expect(spy).not.toHaveBeenCalled();
  });

  test('that was aborted rejects with the reason and goes on where it stopped', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    hub.intercept = (file, response, body) => {
      if (file !== 'one.safetensors') return false;
      response.write(body.subarray(0, 10)); // and never the rest
      return true;
    };
    const onProgress = ({ file }: DownloadProgress): void => {
      if (file === 'one.safetensors') controller.abort(reason);
    };
    await expect(resolve({ signal: controller.signal, onProgress })).rejects.toBe(reason);

    hub.intercept = undefined;
    const [incomplete] = (await blobs()).filter((name) => name.endsWith('.incomplete'));
    await writeFile(join(cacheDir, 'models--owner--model', 'blobs', incomplete), ONE.subarray(0, 10));
    hub.requests.length = 0;
    const path = await resolve();
    expect(hub.requests).toContain(
      `GET /owner/model/resolve/${COMMIT}/one.safetensors bytes=10-${ONE.length - 1}`,
    );
    expect(new Uint8Array(await readFile(join(path, 'one.safetensors')))).toEqual(ONE);
    expect((await blobs()).some((name) => name.endsWith('.incomplete'))).toBe(false);
  });

  test('that is aborted while the hub is silent rejects at once', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const silent: typeof fetch = (_url, init) =>
      new Promise((_, reject) => {
        init?.signal?.addEventListener('abort', () => reject(new Error('cut')));
        setTimeout(() => controller.abort(reason), 20);
      });
    const resolving = resolve({ signal: controller.signal, fetch: silent });
    await expect(resolving).rejects.toBe(reason);
  });

  test('is not begun when the signal is aborted already', async () => {
    const reason = new Error('enough');
    await expect(resolve({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(hub.requests).toEqual([]);
  });

  test('whose connection breaks is told, and what came is kept', async () => {
    hub.intercept = (file, response, body) => {
      if (file !== 'one.safetensors') return false;
      response.write(body.subarray(0, 10), () => response.destroy());
      return true;
    };
    await expectError(resolve(), 'MISSING', /owner\/model: .*from the hub: .*check the connection/);
    hub.intercept = undefined;
    const path = await resolve();
    expect(new Uint8Array(await readFile(join(path, 'one.safetensors')))).toEqual(ONE);
  });

  test('with a file that does not match its hash is refused, and can be tried again', async () => {
    hub.intercept = (file, response, body) => {
      if (file !== 'one.safetensors') return false;
      response.end(body.with(0, 99));
      return true;
    };
    await expectError(
      resolve(),
      'CORRUPT_FILE',
      /owner\/model\/one\.safetensors: .*with hash .*download it again/,
    );
    hub.intercept = undefined;
    const path = await resolve();
    expect(new Uint8Array(await readFile(join(path, 'one.safetensors')))).toEqual(ONE);
  });

  test('that the hub does not know is told with its status', async () => {
    await expectError(
      resolve({}, 'owner/unknown'),
      'MISSING',
      /owner\/unknown: .*no such folder, and status 404 from the hub; check the name, and set HF_TOKEN/,
    );
  });

  test('of a hub that is out of order is told to be tried later', async () => {
    const fetch = () => Promise.resolve(new Response('busy', { status: 503 }));
    await expectError(resolve({ fetch }), 'MISSING', /status 503 from the hub; try again later\./);
  });

  test('without a hub to ask is told', async () => {
    await expectError(
      resolve({ hubUrl: 'http://127.0.0.1:9' }),
      'MISSING',
      /from the hub: .+; check the connection/,
    );
    await expectError(
      resolve({ fetch: () => Promise.reject(new TypeError('fetch failed')) }),
      'MISSING',
      /from the hub: fetch failed/,
    );
  });

  test.for([
    [
      'no safetensors',
      { 'config.json': text({}), 'pytorch_model.bin': ONE },
      'MISSING',
      /with model\.safetensors/,
    ],
    ['no config', { 'model.safetensors': ONE }, 'MISSING', /a repository with config\.json/],
    [
      'a shard that it has not',
      {
        'config.json': text({}),
        'model.safetensors.index.json': text({ weight_map: { a: 'x.safetensors' } }),
      },
      'MISSING',
      /with x\.safetensors/,
    ],
    [
      'a shard outside it',
      {
        'config.json': text({}),
        'model.safetensors.index.json': text({ weight_map: { a: '../x.safetensors' } }),
      },
      'CORRUPT_FILE',
      /tensor a in a file of the folder/,
    ],
  ] as const)(
    'of a repository with %s is refused before weights are downloaded',
    async ([, files, code, sentence]) => {
      hub.files = files;
      await expectError(resolve(), code, sentence);
      expect(hub.requests.filter((request) => /safetensors( |$)/.test(request))).toEqual([]);
    },
  );

  test('whose link was lost is linked again, without a download', async () => {
    const path = await resolve();
    const link = join(path, 'config.json');
    await rm(link);
    hub.requests.length = 0;
    await resolve();
    expect(hub.requests.filter((request) => request.includes('/resolve/'))).toEqual([]);
    expect(JSON.parse(await readFile(link, 'utf8'))).toEqual({ model_type: 'llama' });
  });
});
