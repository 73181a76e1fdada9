import { validate } from '@spikellm/backend';
import * as v from 'valibot';
import { exists, jsonText, readJsonObject, writeFileAtomic } from './files.ts';
import type { FileStore } from './store.ts';

/** What the bytes of a run depend on, by the names that an error calls it by. */
export type Fingerprint = Readonly<Record<string, string | number | boolean>>;

/** What an unfinished run has done. It holds names and sizes only, so the folder may be copied elsewhere. */
export interface Journal {
  readonly fingerprint: Fingerprint;
  /** Bytes of each complete shard. */
  readonly shards: Map<string, number>;
}

const schema = v.object({
  fingerprint: v.record(v.string(), v.union([v.string(), v.number(), v.boolean()])),
  shards: v.record(
    v.string(),
    v.pipe(
      v.number(),
      v.check((bytes) => Number.isSafeInteger(bytes) && bytes >= 0),
    ),
  ),
});

const JOURNAL_FILE = 'journal.json';

/** The journal in a folder, undefined where there is none. Errors: CORRUPT_FILE. */
export async function readJournal(files: FileStore, folder: string): Promise<Journal | undefined> {
  const path = files.join(folder, JOURNAL_FILE);
  if (!(await exists(files, path))) return undefined;
  const json = await readJsonObject(files, path);
  const { fingerprint, shards } = validate(
    schema,
    json,
    ({ field, received }) => ({
      where: path,
      expected: `a fingerprint and the sizes of shards${field === '' ? '' : `, in ${field} too`}`,
      received,
      remedy: 'delete the unfinished folder to start over',
    }),
    'CORRUPT_FILE',
  );
  return { fingerprint, shards: new Map(Object.entries(shards)) };
}

/** Replaces the journal at once: a reader finds the old one or the new one. */
export async function writeJournal(
  files: FileStore,
  folder: string,
  { fingerprint, shards }: Journal,
): Promise<void> {
  const journal = { fingerprint, shards: Object.fromEntries(shards) };
  await writeFileAtomic(files, files.join(folder, JOURNAL_FILE), [jsonText(journal)]);
}

/** What `now` has otherwise than `before`, as an error says it; nothing where they agree. */
export function differences(before: Fingerprint, now: Fingerprint): string[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  const said = (value: Fingerprint[string] | undefined): string =>
    value === undefined ? 'nothing' : String(value);
  return [...names]
    .filter((name) => before[name] !== now[name])
    .map((name) => `${name} ${said(now[name])} instead of ${said(before[name])}`);
}
