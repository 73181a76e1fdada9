import { access, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpikeError } from '@spikellm/backend';

/** Largest single read: Node takes at most 2^31 - 1 bytes at once, and an abort is seen between two reads. */
const READ_BYTES = 2 ** 26;

/**
 * Fills `target` with the bytes of a file from `position` on, and returns how many there were: fewer than asked
 * for only where the file ends.
 */
export async function readAt(
  handle: FileHandle,
  target: Uint8Array,
  position: number,
  signal?: AbortSignal,
): Promise<number> {
  let done = 0;
  while (done < target.length) {
    signal?.throwIfAborted();
    const length = Math.min(READ_BYTES, target.length - done);
    const { bytesRead } = await handle.read(target, done, length, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

/**
 * Writes a file so that `path` is either absent, or what it was, or complete: under a temporary name, flushed to
 * the disk, then renamed. A failed write leaves nothing behind.
 */
export async function writeFileAtomic(path: string, chunks: Iterable<string | Uint8Array>): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const handle = await open(temporary, 'w');
    try {
      for (const chunk of chunks) await handle.writeFile(chunk);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(temporary, path);
    await syncFolder(dirname(path));
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(path, error);
  }
}

const TEMPORARY = '.tmp';
const temporaryName = (path: string): string => path + TEMPORARY;

/** Whether a file is what an interrupted `writeFileAtomic` leaves behind. */
export const isTemporary = (path: string): boolean => path.endsWith(TEMPORARY);

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  if (process.platform === 'win32') return; // folders cannot be opened there, and need not be
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

/** Text of a JSON file, as people read it. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Reads a JSON file that holds one object. Errors: MISSING, CORRUPT_FILE. */
export async function readJsonObject(path: string): Promise<Record<string, unknown>> {
  const value = await readJson(path);
  if (!isRecord(value)) {
    throw new SpikeError('CORRUPT_FILE', {
      where: path,
      expected: 'a JSON object',
      received: Array.isArray(value) ? 'a JSON array' : JSON.stringify(value),
    });
  }
  return value;
}

/** Reads a JSON file. Errors: MISSING, CORRUPT_FILE. */
export async function readJson(path: string): Promise<unknown> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw fileError(path, error);
  });
  try {
    return JSON.parse(text);
  } catch (error) {
    const received = `${text.length} characters that are not (${(error as Error).message})`;
    throw new SpikeError('CORRUPT_FILE', { where: path, expected: 'JSON', received, cause: error });
  }
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** An operating system error as one sentence about `path`; any other error as it is. */
export function fileError(path: string, error: unknown): unknown {
  if (!(error instanceof Error) || !('syscall' in error)) return error;
  const cause = error as NodeJS.ErrnoException;
  switch (cause.code) {
    case 'ENOENT':
      return new SpikeError('MISSING', {
        where: path,
        expected: 'a file or folder',
        received: 'nothing at that path',
        cause,
      });
    case 'ENOSPC':
    case 'EDQUOT':
      return new SpikeError('OUT_OF_MEMORY', {
        where: path,
        expected: 'room on the disk',
        received: `a full disk (${cause.code})`,
        remedy: 'free some space and run again; what was finished is kept',
        cause,
      });
    default:
      return new SpikeError('INVALID_ARGUMENT', {
        where: path,
        expected: 'a path that can be used',
        received: cause.message,
        cause,
      });
  }
}
