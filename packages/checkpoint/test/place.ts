import { readBytes } from '../src/files.ts';
import type { FileStore } from '../src/index.ts';

/** A store with an empty folder, and what tests do to files behind the back of the code. */
export interface Place {
  readonly files: FileStore;
  /** The empty folder. */
  readonly root: string;
  /** Writes a file; the folders above it are made. */
  put(path: string, content: string | Uint8Array): Promise<void>;
  /** Takes away the right to write a file, where there are rights. */
  protect(path: string): Promise<void>;
  exists(path: string): Promise<boolean>;
  text(path: string): Promise<string>;
  /** Names in a folder, in order. */
  names(path: string): Promise<string[]>;
  /** All files of a folder, those of folders in it too, and their bytes. */
  contents(path: string): Promise<Map<string, Uint8Array>>;
  copy(from: string, to: string): Promise<void>;
  /** Cuts a file, or adds zeros to it. */
  resize(path: string, size: number): Promise<void>;
}

/** The place that a store is; everything goes through the store. */
export function placeIn(files: FileStore, root: string): Place {
  const put = async (path: string, content: string | Uint8Array): Promise<void> => {
    await files.makeFolder(files.dirname(path));
    const file = await files.create(path);
    await file.write(typeof content === 'string' ? new TextEncoder().encode(content) : content, 0);
    await file.close();
  };
  const names = async (path: string): Promise<string[]> => (await files.list(path)).toSorted();
  const contents = async (path: string): Promise<Map<string, Uint8Array>> => {
    const found = new Map<string, Uint8Array>();
    for (const name of await names(path)) {
      const entry = files.join(path, name);
      if ((await files.stat(entry))?.isFolder !== true) found.set(name, await readBytes(files, entry));
      else for (const [below, bytes] of await contents(entry)) found.set(`${name}/${below}`, bytes);
    }
    return found;
  };
  return {
    files,
    root,
    put,
    names,
    contents,
    protect: async () => {},
    exists: async (path) => (await files.stat(path)) !== undefined,
    text: async (path) => new TextDecoder().decode(await readBytes(files, path)),
    async copy(from, to) {
      for (const [name, bytes] of await contents(from)) await put(files.join(to, name), bytes);
    },
    async resize(path, size) {
      const bytes = new Uint8Array(size);
      bytes.set((await readBytes(files, path)).subarray(0, size));
      await put(path, bytes);
    },
  };
}
