import { join } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import { exists, isRecord, jsonText, readJsonObject, writeFileAtomic } from './files.ts';

/** What an unfinished run has done. It holds names and sizes only, so the folder may be copied elsewhere. */
export interface Journal {
  readonly fingerprint: string;
  /** Bytes of each complete shard. */
  readonly shards: Map<string, number>;
}

const JOURNAL_FILE = 'journal.json';

/** The journal in a folder, undefined where there is none. Errors: CORRUPT_FILE. */
export async function readJournal(folder: string): Promise<Journal | undefined> {
  const path = join(folder, JOURNAL_FILE);
  if (!(await exists(path))) return undefined;
  const { fingerprint, shards } = await readJsonObject(path);
  if (typeof fingerprint !== 'string' || !isRecord(shards)) {
    throw new SpikeError('CORRUPT_FILE', {
      where: path,
      expected: 'a fingerprint and the sizes of shards',
      received: 'another object',
      remedy: 'delete the unfinished folder to start over',
    });
  }
  return { fingerprint, shards: new Map(Object.entries(shards as Record<string, number>)) };
}

/** Replaces the journal at once: a reader finds the old one or the new one. */
export async function writeJournal(folder: string, { fingerprint, shards }: Journal): Promise<void> {
  const journal = { fingerprint, shards: Object.fromEntries(shards) };
  await writeFileAtomic(join(folder, JOURNAL_FILE), [jsonText(journal)]);
}
