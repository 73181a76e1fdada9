import { host } from '#host';
import {
  openGguf,
  openModelFolder,
  resolveModel,
  createMemoryFiles,
  type FileStore,
  type ModelFolder,
} from '@spikellm/checkpoint';
import { fetchModel, type FetchOptions } from './fetch-model.ts';
import { wrong } from './options.ts';

/**
 * Where a model is. A text is the path of a folder or of a `.gguf` file, or a hub id like `owner/name`; in a page a text
 * that begins with `/`, `./` or a scheme is an address. A `URL` is the address of such a folder or file. `File`s are what
 * a visitor chose or dropped, a directory handle what `showDirectoryPicker` gave.
 */
export type ModelSource = string | URL | Iterable<File> | FileSystemDirectoryHandle;

export interface SourceOptions extends FetchOptions {
  /** Where paths and downloads lie. Default: the disk in Node; in a page memory, in a worker its private files. */
  readonly files?: FileStore | undefined;
}

const EXPECTED = 'a model folder, a .gguf file, a hub id like owner/name, a URL, Files or a directory handle';

/**
 * Opens the files of a model, wherever they are. The caller closes them.
 * Errors: INVALID_ARGUMENT for what is no source; those of `openModelFolder`, `openGguf` and `resolveModel`.
 */
export async function openSource(source: ModelSource, options: SourceOptions = {}): Promise<ModelFolder> {
  if (typeof source === 'string' && source !== '') {
    const address = options.files === undefined ? host.addressOf(source) : undefined;
    return address === undefined ? openPath(source, options) : openAddress(address, options);
  }
  if (source instanceof URL) return openAddress(source, options);
  if (isDirectory(source)) return openFiles(source.name || 'files', await filesOf(source));
  const files = isIterable(source) ? [...source] : [];
  if (files.length > 0 && files.every((file) => file instanceof Blob)) {
    const entries = files.map((file) => [file.webkitRelativePath || file.name, file] as const);
    return openFiles('files', entries);
  }
  throw wrong('source', EXPECTED, source);
}

/** A source as reports name it. */
export const nameOf = (source: ModelSource): string => {
  if (typeof source === 'string') return source;
  if (source instanceof URL) return source.href;
  return isDirectory(source) ? source.name : 'files';
};

async function openPath(path: string, options: SourceOptions): Promise<ModelFolder> {
  const { signal, onProgress } = options;
  const files = options.files ?? (await host.files());
  const store = files === undefined ? {} : { files };
  if (isGguf(path)) return openGguf(path, store);
  const folder = await resolveModel(path, {
    ...store,
    ...(signal && { signal }),
    onProgress: ({ loadedBytes, totalBytes }) =>
      onProgress?.({ phase: 'download', done: loadedBytes, total: totalBytes }),
  });
  return openModelFolder(folder, store);
}

async function openAddress(address: URL, options: SourceOptions): Promise<ModelFolder> {
  const path = host.pathOf(address);
  if (path !== undefined) return openPath(path, options);
  return openFiles(address.href, await fetchModel(address, options));
}

/** Files by their paths: the first of GGUF, or those that lie beside the highest config.json. */
async function openFiles(
  name: string,
  entries: Iterable<readonly [path: string, file: Blob]>,
): Promise<ModelFolder> {
  const named = Array.from(entries, ([path, file]) => [`${name}/${path}`, file] as const);
  const files = createMemoryFiles(named);
  const paths = named.map(([path]) => path).toSorted();
  const gguf = paths.find(isGguf);
  if (gguf !== undefined) return openGguf(gguf, { files });
  const depth = (path: string): number => path.split('/').length;
  const [config] = paths
    .filter((path) => path.endsWith('/config.json'))
    .toSorted((a, b) => depth(a) - depth(b));
  return openModelFolder(config === undefined ? name : files.dirname(config), { files });
}

async function filesOf(folder: FileSystemDirectoryHandle): Promise<[string, File][]> {
  const found: [string, File][] = [];
  for await (const handle of folder.values()) {
    if (handle.kind === 'file') found.push([handle.name, await handle.getFile()]);
  }
  return found;
}

export const isGguf = (path: string): boolean => /\.gguf$/i.test(path);

const isIterable = (source: unknown): source is Iterable<File> =>
  typeof source === 'object' && source !== null && Symbol.iterator in source;

const isDirectory = (source: unknown): source is FileSystemDirectoryHandle =>
  (source as FileSystemDirectoryHandle | null | undefined)?.kind === 'directory';
