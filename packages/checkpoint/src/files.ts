import { SpikeError } from '@spikellm/backend';
import { parseJson } from './json.ts';
import type { FileStore, OpenFile } from './store.ts';

/** Bytes of a single read: an abort is seen between two of them. */
const READ_BYTES = 2 ** 26;

/**
 * Fills `target` with the bytes of a file from `position` on, and returns how many there were: fewer than asked
 * for only where the file ends.
 */
export async function readAt(
  file: OpenFile,
  target: Uint8Array,
  position: number,
  signal?: AbortSignal,
): Promise<number> {
  let done = 0;
  while (done < target.length) {
    signal?.throwIfAborted();
    const read = await file.read(target.subarray(done, done + READ_BYTES), position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Bytes of a file that is read whole: more than any tokenizer or index has. */
const MAX_BYTES = 100_000_000;

/** The bytes of a small file. Errors: those of the store, CORRUPT_FILE for a file that is not small. */
export async function readBytes(files: FileStore, path: string): Promise<Uint8Array<ArrayBuffer>> {
  const file = await files.open(path);
  try {
    if (file.size > MAX_BYTES) {
      throw new SpikeError('CORRUPT_FILE', {
        where: path,
        expected: `a file of at most ${MAX_BYTES} bytes`,
        received: `${file.size} bytes`,
      });
    }
    const bytes = new Uint8Array(file.size);
    return bytes.subarray(0, await readAt(file, bytes, 0));
  } finally {
    await file.close();
  }
}

/**
 * Writes a file so that `path` is either absent, or what it was, or complete: under a temporary name, flushed,
 * then renamed. A failed write leaves nothing behind.
 */
export async function writeFileAtomic(
  files: FileStore,
  path: string,
  chunks: Iterable<string | Uint8Array>,
): Promise<void> {
  const temporary = temporaryName(path);
  try {
    const file = await files.create(temporary);
    try {
      let position = 0;
      for (const chunk of chunks) {
        const bytes = typeof chunk === 'string' ? new TextEncoder().encode(chunk) : chunk;
        await file.write(bytes, position);
        position += bytes.length;
      }
      await file.flush();
    } finally {
      await file.close();
    }
    await files.move(temporary, path);
  } catch (error) {
    await files.remove(temporary);
    throw fileError(path, error);
  }
}

const TEMPORARY = '.tmp';
const temporaryName = (path: string): string => path + TEMPORARY;

/** Whether a file is what an interrupted `writeFileAtomic` leaves behind. */
export const isTemporary = (path: string): boolean => path.endsWith(TEMPORARY);

/** Whether there is something at a path that can be reached. */
export async function exists(files: FileStore, path: string): Promise<boolean> {
  return files.stat(path).then(
    (found) => found !== undefined,
    () => false,
  );
}

/** Text of a JSON file, as people read it. */
export const jsonText = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`;

/** Reads a JSON file that holds one object. Errors: MISSING, CORRUPT_FILE. */
export async function readJsonObject(files: FileStore, path: string): Promise<Record<string, unknown>> {
  const value = await readJson(files, path);
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
export async function readJson(files: FileStore, path: string): Promise<unknown> {
  const bytes = await readBytes(files, path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  return parseJson(path, bytes);
}

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The error of a path that should lead somewhere. */
export const nothingAt = (path: string, cause?: unknown): SpikeError =>
  new SpikeError('MISSING', {
    where: path,
    expected: 'a file or folder',
    received: 'nothing at that path',
    cause,
  });

/** An error of an operating system or a browser's storage as one sentence about `path`; any other error as it is. */
export function fileError(path: string, error: unknown): unknown {
  const name = systemName(error);
  if (name === undefined) return error;
  switch (name) {
    case 'ENOENT':
    case 'NotFoundError':
      return nothingAt(path, error);
    case 'ENOSPC':
    case 'EDQUOT':
    case 'QuotaExceededError':
      return new SpikeError('OUT_OF_MEMORY', {
        where: path,
        expected: 'room on the disk',
        received: `a full disk (${name})`,
        remedy: 'free some space and run again; what was finished is kept',
        cause: error,
      });
    default:
      return new SpikeError('INVALID_ARGUMENT', {
        where: path,
        expected: 'a path that can be used',
        received: (error as Error).message,
        cause: error,
      });
  }
}

/** What the system calls its error; undefined for errors of other origin, an abort among them. */
function systemName(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  if ('syscall' in error) return (error as Error & { code?: string }).code ?? error.name;
  const isStorage = error instanceof DOMException && !['AbortError', 'TimeoutError'].includes(error.name);
  return isStorage ? error.name : undefined;
}
