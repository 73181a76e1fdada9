import { createReadStream } from 'node:fs';
import { SpikeError } from '@spikellm/backend';

/** Bytes of a text at most. */
const MAX_BYTES = 250_000_000;

/**
 * Reads a UTF-8 text file. Line ends become line feeds, as Python's text files read, so that perplexities compare.
 * Errors: MISSING, INVALID_ARGUMENT, CORRUPT_FILE.
 *
 * @param where - the option that names it
 */
export async function readText(path: string, where = '--text'): Promise<string> {
  return textOf(where, path, await readBytes(where, path, createReadStream(path)));
}

/**
 * Reads standard input as a text, without the line feed that ends what `echo` prints. Errors: as `readText`.
 *
 * @param where - the option in whose place it stands
 */
export async function readInput(stdin: AsyncIterable<Uint8Array | string>, where: string): Promise<string> {
  const name = 'standard input';
  return textOf(where, name, await readBytes(where, name, stdin)).replace(/\n$/, '');
}

function textOf(where: string, path: string, bytes: Buffer): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new SpikeError('CORRUPT_FILE', {
      where,
      expected: 'UTF-8 text',
      received: `${path}, whose bytes are not`,
      remedy: 'convert the file to UTF-8 first',
      cause,
    });
  }
  if (text.trim() === '') {
    throw new SpikeError('INVALID_ARGUMENT', {
      where,
      expected: 'a text',
      received: `${path}, which is empty`,
    });
  }
  return text.replaceAll(/\r\n?/g, '\n');
}

/** By and by, since a pipe or device has no size and may have no end. */
async function readBytes(
  where: string,
  path: string,
  stream: AsyncIterable<Uint8Array | string>,
): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of stream) {
      const bytes = Buffer.from(chunk as Uint8Array);
      chunks.push(bytes);
      size += bytes.length;
      if (size > MAX_BYTES) break;
    }
  } catch (error) {
    throw unreadable(where, path, error as NodeJS.ErrnoException);
  }
  if (size <= MAX_BYTES) return Buffer.concat(chunks);
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `a text of at most ${MAX_BYTES} bytes`,
    received: `${path}, which has more`,
    remedy: 'take a part of it',
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'which does not exist',
  EISDIR: 'which is a folder',
  EACCES: 'which may not be read',
};

function unreadable(where: string, path: string, cause: NodeJS.ErrnoException): SpikeError {
  return new SpikeError(cause.code === 'ENOENT' ? 'MISSING' : 'INVALID_ARGUMENT', {
    where,
    expected: 'a text file',
    received: `${path}, ${REASONS[cause.code ?? ''] ?? `which cannot be read (${cause.message})`}`,
    cause,
  });
}
