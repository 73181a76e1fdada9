import { readFile } from 'node:fs/promises';
import { SpikeError } from '@spikellm/backend';

/**
 * Reads a UTF-8 text file. Line ends become line feeds, as Python's text files read, so that perplexities compare.
 * Errors: MISSING, INVALID_ARGUMENT, CORRUPT_FILE.
 *
 * @param where - the option that names it
 */
export async function readText(path: string, where = '--text'): Promise<string> {
  const bytes = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    throw unreadable(where, path, error);
  });
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
