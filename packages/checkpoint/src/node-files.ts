import { constants, copyFile, mkdir, open, readdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { FileStore } from './store.ts';

/** Largest single read or write: Node takes at most 2^31 - 1 bytes at once. */
const MAX_BYTES = 2 ** 30;

/** The disk. */
export const nodeFiles: FileStore = {
  join,
  dirname,
  resolve,
  isInside(folder, name) {
    const way = relative(resolve(folder), resolve(folder, name));
    return !isAbsolute(name) && way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && !isAbsolute(way);
  },
  async stat(path) {
    try {
      const found = await stat(path);
      return { isFolder: found.isDirectory(), size: found.size };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  },
  list: (folder) => readdir(folder),
  open: (path) => openFile(path, READ),
  create: (path, { keep = false } = {}) =>
    openFile(path, constants.O_RDWR | constants.O_CREAT | (keep ? 0 : constants.O_TRUNC)),
  makeFolder,
  async move(from, to) {
    await rename(from, to);
    await syncFolder(dirname(to));
  },
  remove: (path) => rm(path, { recursive: true, force: true }),
  /** A relative link, so that a folder with both may be moved; a copy where links fail. */
  async link(target, path) {
    await rm(path, { force: true });
    await symlink(relative(dirname(path), target), path).catch(() => copyFile(target, path));
  },
};

/** The recursion of Node's own `mkdir` never ends where a folder may not have new ones, as those below /proc. */
async function makeFolder(path: string): Promise<void> {
  if (await isFolder(path)) return;
  const above = dirname(path);
  if (above !== path) await makeFolder(above);
  await mkdir(path).catch(async (error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST' && (await isFolder(path))) return; // another process was faster
    if (error.code !== 'ENOENT') throw error;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: path,
      expected: 'a folder that can be made',
      received: `${above}, in which none can`,
      remedy: 'give a path on a disk',
      cause: error,
    });
  });
}

const isFolder = async (path: string): Promise<boolean> =>
  stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );

/** To read, without waiting for who writes to a pipe. Windows has no such flag and no such pipes. */
const READ = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0);

async function openFile(path: string, flags: number): ReturnType<FileStore['create']> {
  const handle = await open(path, flags);
  try {
    const found = await handle.stat();
    const { size } = found;
    if (flags === READ && !found.isFile()) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: path,
        expected: 'a file',
        received: found.isDirectory() ? 'a folder' : 'a pipe or device',
      });
    }
    return {
      size,
      async read(target, position) {
        return (await handle.read(target, 0, Math.min(target.length, MAX_BYTES), position)).bytesRead;
      },
      async write(bytes, position) {
        for (let done = 0; done < bytes.length;) {
          const length = Math.min(bytes.length - done, MAX_BYTES);
          done += (await handle.write(bytes, done, length, position + done)).bytesWritten;
        }
      },
      flush: () => handle.sync(),
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there, and need not be
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
