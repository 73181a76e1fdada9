import { SpikeError } from '@spikellm/backend';
import { exists, readJson, writeFileAtomic } from './files.ts';
import { openBlob } from './memory-files.ts';
import { partsOf, slashPaths } from './slash-paths.ts';
import type { FileStore, WritableFile } from './store.ts';

/**
 * The private files of a web origin, which stay there from one visit to the next. They are read anywhere and written in
 * workers. Paths have '/' between names. What a closed page was about to rename gets its name here.
 *
 * @param root - a folder of those files; all of them by default
 * Errors: UNSUPPORTED where there are no such files: in Node, and in pages that are not secure.
 *
 * @example
 * const files = await openOpfsFiles();
 * const path = await resolveModel('owner/name', { files });
 */
export async function openOpfsFiles(root?: FileSystemDirectoryHandle): Promise<FileStore> {
  const storage = globalThis.navigator?.storage;
  if (typeof storage?.getDirectory !== 'function') {
    throw new SpikeError('UNSUPPORTED', {
      where: 'openOpfsFiles',
      expected: 'a page or worker with private files (navigator.storage.getDirectory)',
      received: 'none',
      remedy: 'serve the page over https or from localhost',
    });
  }
  const files = createOpfsFiles(root ?? (await storage.getDirectory()));
  await exclusively(() => finishMove(files));
  return files;
}

/** What TypeScript does not declare outside of workers, or not at all. */
interface OpfsFile extends FileSystemFileHandle {
  createSyncAccessHandle?(): Promise<SyncAccess>;
  move(folder: FileSystemDirectoryHandle, name: string): Promise<void>;
}

interface SyncAccess {
  read(target: Uint8Array, options: { at: number }): number;
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  getSize(): number;
  flush(): void;
  close(): void;
}

function createOpfsFiles(root: FileSystemDirectoryHandle): FileStore {
  const folderAt = async (path: string, create = false): Promise<FileSystemDirectoryHandle> => {
    let folder = root;
    for (const part of partsOf(path)) folder = await folder.getDirectoryHandle(part, { create });
    return folder;
  };
  const fileAt = async (path: string, create = false): Promise<OpfsFile> => {
    const folder = await folderAt(slashPaths.dirname(path));
    return (await folder.getFileHandle(nameOf(path), { create })) as OpfsFile;
  };
  const files: FileStore = {
    ...slashPaths,
    async stat(path) {
      try {
        if (partsOf(path).length === 0) return FOLDER;
        const { size } = await (await fileAt(path)).getFile();
        return { isFolder: false, size };
      } catch (error) {
        if (isNamed(error, 'NotFoundError')) return undefined;
        if (!isNamed(error, 'TypeMismatchError')) throw error;
        await folderAt(path); // else there is a file where a folder is asked for
        return FOLDER;
      }
    },
    async list(folder) {
      const names: string[] = [];
      for await (const name of (await folderAt(folder)).keys()) names.push(name);
      return names;
    },
    open: async (path) => openBlob(await (await fileAt(path)).getFile()),
    async create(path, { keep = false } = {}) {
      const access = await (await fileAt(path, true)).createSyncAccessHandle?.();
      if (access === undefined) {
        throw new SpikeError('UNSUPPORTED', {
          where: path,
          expected: 'a worker, the only place where a browser writes private files in parts',
          received: 'a page',
          remedy: 'do this in a worker',
        });
      }
      if (!keep) access.truncate(0);
      return createWritable(access);
    },
    async makeFolder(path) {
      await folderAt(path, true);
    },
    async move(from, to) {
      const found = await files.stat(from);
      if (found?.isFolder !== true) return moveFile(from, to);
      await exclusively(async () => {
        await writeFileAtomic(files, MOVE_FILE, [JSON.stringify({ from, to })]);
        await finishMove(files);
      });
    },
    async remove(path) {
      try {
        const folder = await folderAt(slashPaths.dirname(path));
        await folder.removeEntry(nameOf(path), { recursive: true });
      } catch (error) {
        if (!isNamed(error, 'NotFoundError')) throw error;
      }
    },
    async room() {
      const { quota = Infinity, usage = 0 } = await navigator.storage.estimate();
      return Math.max(0, quota - usage);
    },
  };
  const moveFile = async (from: string, to: string): Promise<void> => {
    const folder = await folderAt(slashPaths.dirname(to));
    await (await fileAt(from)).move(folder, nameOf(to));
  };
  return files;
}

const FOLDER = { isFolder: true, size: 0 } as const;
const nameOf = (path: string): string => partsOf(path).at(-1) ?? '';
const isNamed = (error: unknown, name: string): boolean =>
  error instanceof DOMException && error.name === name;

/** Bytes that are copied at a time where the browser does not take the buffer itself. */
const COPIED_BYTES = 2 ** 22;

/** Resizable buffers are refused by sync access handles. */
const isRefused = ({ buffer }: Uint8Array): boolean => buffer instanceof ArrayBuffer && buffer.resizable;

function createWritable(access: SyncAccess): WritableFile {
  return {
    size: access.getSize(),
    async read(target, position) {
      if (!isRefused(target)) return access.read(target, { at: position });
      const copy = new Uint8Array(Math.min(target.length, COPIED_BYTES));
      const read = access.read(copy, { at: position });
      target.set(copy.subarray(0, read));
      return read;
    },
    async write(bytes, position) {
      const refused = isRefused(bytes);
      for (let done = 0; done < bytes.length;) {
        const part = refused ? bytes.slice(done, done + COPIED_BYTES) : bytes.subarray(done);
        done += access.write(part, { at: position + done });
      }
    },
    flush: async () => access.flush(),
    close: async () => access.close(),
  };
}

/**
 * Browsers rename files but not folders, whose files therefore move one by one. This file says so from before the first
 * until after the last: what a closed page leaves is finished by whoever opens the files next.
 */
const MOVE_FILE = '.moving.json';

/** Finishes the move that the file tells of, where there is one. */
async function finishMove(files: FileStore): Promise<void> {
  if (!(await exists(files, MOVE_FILE))) return;
  const { from, to } = (await readJson(files, MOVE_FILE)) as { from: string; to: string };
  if (await exists(files, from)) {
    await moveAll(files, from, to);
    await files.remove(from);
  }
  await files.remove(MOVE_FILE);
}

async function moveAll(files: FileStore, from: string, to: string): Promise<void> {
  await files.makeFolder(to);
  for (const name of await files.list(from)) {
    const [source, target] = [files.join(from, name), files.join(to, name)];
    if ((await files.stat(source))?.isFolder === true) await moveAll(files, source, target);
    else await files.move(source, target);
  }
}

/** One move at a time in all pages of the origin: another one that opens the files waits for it. */
async function exclusively(body: () => Promise<void>): Promise<void> {
  await navigator.locks.request('spikellm-files', body);
}
