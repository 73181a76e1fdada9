import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { copyFile, mkdir, rename, rm, stat, symlink } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReadableStream } from 'node:stream/web';
import { SpikeError } from '@spikellm/backend';
import type { ListFileEntry } from '@huggingface/hub';
import { exists, syncFolder } from './files.ts';

/** What every request to the hub is made with. */
export interface HubAccess {
  readonly fetch: typeof fetch;
  readonly hubUrl?: string;
  readonly accessToken?: string;
}

/** One commit of a repository and its place in the Hugging Face cache. */
export interface Snapshot {
  readonly repo: { readonly type: 'model'; readonly name: string };
  readonly commit: string;
  /** The repository's folder in the cache, with `blobs` by hash and `snapshots` by commit. */
  readonly storage: string;
  /** The folder of the commit: links to blobs under the names that the files have. */
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
  const path = join(snapshot.folder, entry.path);
  const blob = join(snapshot.storage, 'blobs', hashOf(snapshot, entry));
  if ((await exists(path)) || (await exists(blob))) onBytes(entry.size);
  else await downloadBlob(snapshot, entry, access, signal, blob, onBytes);
  if (!(await exists(path))) await link(blob, path);
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
  const incomplete = `${blob}.incomplete`;
  await mkdir(dirname(blob), { recursive: true });
  const begun = await stat(incomplete).catch(() => ({ size: 0 }));
  if (begun.size > 0) onBytes(begun.size);
  if (begun.size < entry.size || entry.size === 0) {
    const bytes = await openRemote(snapshot, entry, access, begun.size);
    async function* counted(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        onBytes(chunk.length);
        yield chunk;
      }
    }
    await pipeline(bytes, counted, createWriteStream(incomplete, { flags: 'a', flush: true }), { signal });
  }
  await checkHash(snapshot, entry, incomplete);
  await rename(incomplete, blob);
  await syncFolder(dirname(blob));
}

async function openRemote(
  { repo, commit }: Snapshot,
  { path }: ListFileEntry,
  access: HubAccess,
  start: number,
): Promise<Readable> {
  const hub = await import('@huggingface/hub');
  const remote = await hub.downloadFile({ repo, path, revision: commit, xet: false, ...access });
  if (remote === null) {
    throw new SpikeError('MISSING', {
      where: repo.name,
      expected: `${path} as the hub lists it`,
      received: 'no such file',
    });
  }
  const { size } = remote;
  return Readable.fromWeb(remote.slice(start, size).stream() as ReadableStream<Uint8Array>);
}

/** Holds a complete download against its hash; one that does not match is of no use and is removed. */
async function checkHash(snapshot: Snapshot, entry: ListFileEntry, path: string): Promise<void> {
  const expected = hashOf(snapshot, entry);
  const hash = createHash(expected.length === 64 ? 'sha256' : 'sha1');
  const { size } = await stat(path);
  if (expected.length === 40) hash.update(`blob ${size}\0`);
  await pipeline(createReadStream(path), hash);
  const received = hash.digest('hex');
  if (received === expected) return;
  await rm(path);
  throw new SpikeError('CORRUPT_FILE', {
    where: `${snapshot.repo.name}/${entry.path}`,
    expected: `${entry.size} bytes with hash ${expected}`,
    received: `${size} bytes with hash ${received}`,
    remedy: 'download it again',
  });
}

/** Gives a blob its name in the snapshot: a relative link, so that the cache may be moved; a copy where links fail. */
async function link(blob: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await symlink(relative(dirname(path), blob), path).catch(() => copyFile(blob, path));
}
