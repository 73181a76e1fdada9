import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import type { ListFileEntry } from '@huggingface/hub';
import { exists, readAt } from './files.ts';
import type { FileStore } from './store.ts';

/** What every request to the hub is made with. */
export interface HubAccess {
  readonly fetch: typeof fetch;
  readonly hubUrl: string;
}

/** One commit of a repository and its place in the Hugging Face cache. */
export interface Snapshot {
  readonly repo: { readonly type: 'model'; readonly name: string };
  readonly commit: string;
  readonly files: FileStore;
  /** The repository's folder in the cache, with `blobs` by hash and `snapshots` by commit. */
  readonly storage: string;
  /** The folder of the commit: links to blobs under the names that the files have; the files where a store has no links. */
  readonly folder: string;
}

/**
 * Brings one file of a snapshot into the cache and returns its path. The library's own download into the cache is not
 * used: it knows no abort, no resume and no check, and prints.
 *
 * @param onBytes called with the number of bytes that came, or are there already
 */
export async function downloadFile(
  snapshot: Snapshot,
  entry: ListFileEntry,
  access: HubAccess,
  signal: AbortSignal | undefined,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const { files, storage, folder } = snapshot;
  const path = files.join(folder, entry.path);
  const blob = files.link ? files.join(storage, 'blobs', hashOf(snapshot, entry)) : path;
  if ((await exists(files, path)) || (await exists(files, blob))) onBytes(entry.size);
  else await downloadBlob(snapshot, entry, access, signal, blob, onBytes);
  if (files.link && !(await exists(files, path))) {
    await files.makeFolder(files.dirname(path));
    await files.link(blob, path);
  }
  return path;
}

/** The hash under which the cache keeps a file: SHA-256 of a large file, otherwise that of its git blob. */
function hashOf(snapshot: Snapshot, { path, lfs, oid }: ListFileEntry): string {
  const hash = lfs?.oid ?? oid ?? '';
  if (/^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) return hash;
  throw new SpikeError('CORRUPT_FILE', {
    where: `${snapshot.repo.name}/${path}`,
    expected: 'a hash from the hub',
    received: JSON.stringify(hash),
  });
}

/** Downloads to `<blob>.incomplete`, going on where an interrupted download stopped. */
async function downloadBlob(
  snapshot: Snapshot,
  entry: ListFileEntry,
  access: HubAccess,
  signal: AbortSignal | undefined,
  blob: string,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const { files } = snapshot;
  const incomplete = `${blob}.incomplete`;
  await files.makeFolder(files.dirname(blob));
  const file = await files.create(incomplete, { keep: true });
  try {
    if (file.size > 0) onBytes(file.size);
    let position = file.size;
    if (position < entry.size) {
      const stream = await openRemote(snapshot, entry, access, position);
      for await (const chunk of chunksOf(stream, signal)) {
        await file.write(chunk, position);
        position += chunk.length;
        onBytes(chunk.length);
      }
    }
    await file.flush();
  } finally {
    await file.close();
  }
  await checkHash(snapshot, entry, incomplete, signal);
  await files.move(incomplete, blob);
}

/** What comes through a stream until it ends or the signal is aborted. Not every browser can iterate over streams. */
async function* chunksOf(
  stream: ReadableStream<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  const cancel = (): void => void reader.cancel().catch(() => {});
  signal?.addEventListener('abort', cancel);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      signal?.throwIfAborted();
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener('abort', cancel);
    cancel();
  }
}

async function openRemote(
  { repo, commit }: Snapshot,
  { path }: ListFileEntry,
  access: HubAccess,
  start: number,
): Promise<ReadableStream<Uint8Array>> {
  const hub = await import('@huggingface/hub');
  const remote = await hub.downloadFile({ repo, path, revision: commit, xet: false, ...access });
  if (remote === null) {
    throw new SpikeError('MISSING', {
      where: repo.name,
      expected: `${path} as the hub lists it`,
      received: 'no such file',
    });
  }
  return remote.slice(start, remote.size).stream();
}

/** Bytes that are hashed at a time. */
const HASHED_BYTES = 2 ** 22;

/** Holds a complete download against its hash; one that does not match is of no use and is removed. */
async function checkHash(
  snapshot: Snapshot,
  entry: ListFileEntry,
  path: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { files } = snapshot;
  const expected = hashOf(snapshot, entry);
  const digest = host.createDigest(expected.length === 64 ? 'sha256' : 'sha1');
  const file = await files.open(path);
  try {
    if (expected.length === 40) digest.update(`blob ${file.size}\0`);
    const part = new Uint8Array(Math.min(HASHED_BYTES, file.size));
    for (let position = 0; position < file.size;) {
      const read = await readAt(file, part, position, signal);
      if (read === 0) break;
      digest.update(part.subarray(0, read));
      position += read;
    }
  } finally {
    await file.close();
  }
  const received = digest.hex();
  if (received === expected) return;
  await files.remove(path);
  throw new SpikeError('CORRUPT_FILE', {
    where: `${snapshot.repo.name}/${entry.path}`,
    expected: `${entry.size} bytes with hash ${expected}`,
    received: `${file.size} bytes with hash ${received}`,
    remedy: 'download it again',
  });
}
