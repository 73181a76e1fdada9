import { SpikeError } from '@spikellm/backend';
import { nothingAt } from './files.ts';
import { partsOf, slashPaths } from './slash-paths.ts';
import type { FileStore, OpenFile, WritableFile } from './store.ts';

/** Files in memory. */
export interface MemoryFiles extends FileStore {
  /** The files of a folder, by their paths in it. */
  blobs(folder: string): Map<string, Blob>;
}

/**
 * A store of files in memory, each a Blob. Those it begins with are read by slices and never whole, so that they may be
 * larger than memory: `File`s that a visitor drops stay on their disk. Paths have '/' between names on every system.
 *
 * @param given files by their paths
 *
 * @example
 * const files = createMemoryFiles([['tales/config.json', configFile], ['tales/model.safetensors', weightsFile]]);
 * await using folder = await openModelFolder('tales', { files });
 */
export function createMemoryFiles(given: Iterable<readonly [path: string, file: Blob]> = []): MemoryFiles {
  const files = new Map<string, Blob>();
  const folders = new Set<string>(['']);
  const { resolve, dirname } = slashPaths;
  const makeFolder = (path: string): void => {
    for (const parts = partsOf(path); parts.length > 0; parts.pop()) folders.add(parts.join('/'));
  };
  for (const [path, file] of given) {
    makeFolder(dirname(path));
    files.set(resolve(path), file);
  }
  /** The path within a folder of all that is below it. */
  const below = <T>(entries: Iterable<readonly [string, T]>, folder: string): [string, T][] => {
    const prefix = folder === '' ? '' : `${folder}/`;
    return Array.from(entries)
      .filter(([path]) => path.startsWith(prefix) && path !== folder)
      .map(([path, entry]) => [path.slice(prefix.length), entry]);
  };
  const remove = (path: string): void => {
    for (const [name] of below(files, path)) files.delete(slashPaths.join(path, name));
    for (const [name] of below(folders.entries(), path)) folders.delete(slashPaths.join(path, name));
    files.delete(path);
    if (path !== '') folders.delete(path);
  };

  return {
    ...slashPaths,
    blobs: (folder) => new Map(below(files, resolve(folder))),
    async stat(path) {
      const file = files.get(resolve(path));
      if (file !== undefined) return { isFolder: false, size: file.size };
      return folders.has(resolve(path)) ? { isFolder: true, size: 0 } : undefined;
    },
    async list(folder) {
      if (!folders.has(resolve(folder))) throw nothingAt(folder);
      const entries = [...below(files, resolve(folder)), ...below(folders.entries(), resolve(folder))];
      return entries.map(([path]) => path).filter((path) => !path.includes('/'));
    },
    async open(path) {
      const file = files.get(resolve(path));
      if (file !== undefined) return openBlob(file);
      throw folders.has(resolve(path)) ? isFolder(path) : nothingAt(path);
    },
    async create(path, { keep = false } = {}) {
      const whole = resolve(path);
      if (!folders.has(dirname(whole))) throw nothingAt(dirname(whole));
      if (folders.has(whole)) throw isFolder(path);
      const former = files.get(whole);
      if (!keep || former === undefined) files.set(whole, new Blob());
      return createPages(keep ? former : undefined, (blob) => files.set(whole, blob));
    },
    makeFolder: async (path) => makeFolder(path),
    async move(from, to) {
      const [source, target] = [resolve(from), resolve(to)];
      const file = files.get(source);
      if (file !== undefined) files.set(target, file);
      else if (!folders.has(source)) throw nothingAt(from);
      else {
        makeFolder(to);
        for (const [name] of below(folders.entries(), source)) folders.add(slashPaths.join(target, name));
        for (const [name, blob] of below(files, source)) files.set(slashPaths.join(target, name), blob);
      }
      remove(source);
    },
    remove: async (path) => remove(resolve(path)),
  };
}

const isFolder = (path: string): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', { where: path, expected: 'a file', received: 'a folder' });

/** A Blob as an open file: what is read is sliced out of it. */
export const openBlob = (blob: Blob): OpenFile => ({
  size: blob.size,
  async read(target, position) {
    const bytes = new Uint8Array(await blob.slice(position, position + target.length).arrayBuffer());
    target.set(bytes);
    return bytes.length;
  },
  close: async () => {},
});

const PAGE_BYTES = 2 ** 16;
const EMPTY_PAGE = new Uint8Array(PAGE_BYTES);

/** A file that is being written, in pages; those that nothing was written to take no memory. */
async function createPages(former: Blob | undefined, done: (blob: Blob) => void): Promise<WritableFile> {
  const pages: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  const file: WritableFile = {
    size: former?.size ?? 0,
    async read(target, position) {
      const start = position % PAGE_BYTES;
      const length = Math.max(0, Math.min(target.length, PAGE_BYTES - start, size - position));
      const page = pages[Math.floor(position / PAGE_BYTES)] ?? EMPTY_PAGE;
      target.set(page.subarray(start, start + length));
      return length;
    },
    async write(bytes, position) {
      for (let from = 0; from < bytes.length;) {
        const start = (position + from) % PAGE_BYTES;
        const part = bytes.subarray(from, from + PAGE_BYTES - start);
        (pages[Math.floor((position + from) / PAGE_BYTES)] ??= new Uint8Array(PAGE_BYTES)).set(part, start);
        from += part.length;
      }
      size = Math.max(size, position + bytes.length);
    },
    flush: async () => {},
    async close() {
      const all = Array.from({ length: Math.ceil(size / PAGE_BYTES) }, (_, i) => pages[i] ?? EMPTY_PAGE);
      done(new Blob(all).slice(0, size));
    },
  };
  if (former !== undefined) await file.write(new Uint8Array(await former.arrayBuffer()), 0);
  return file;
}
