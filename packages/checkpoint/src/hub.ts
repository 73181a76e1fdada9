import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import type { ListFileEntry } from '@huggingface/hub';
import { cachedSnapshot, storageOf } from './cached.ts';
import { downloadFile, type HubAccess, type Snapshot } from './download.ts';
import { exists, fileError, readJsonObject, writeFileAtomic } from './files.ts';
import { CONFIG_FILE, INDEX_FILE, KEPT_FILES, readWeightMap, SINGLE_FILE } from './folder.ts';
import { fetchWithToken, hubToken, withoutToken } from './hub-token.ts';
import type { FilesOption, FileStore } from './store.ts';

/** How far a download is; bytes count all files of the model, those already in the cache among them. */
export interface DownloadProgress {
  /** The file that is being downloaded. */
  readonly file: string;
  readonly loadedBytes: number;
  readonly totalBytes: number;
}

export interface ResolveModelOptions extends FilesOption {
  /**
   * Default: the cache that Hugging Face libraries share (`HF_HUB_CACHE`, `HF_HOME`, ~/.cache/huggingface/hub), in browsers
   * `models`.
   */
  readonly cacheDir?: string;
  /** A branch, tag or commit. Default: `main`. */
  readonly revision?: string;
  /** Names of the files to bring, such as config.json alone. Default: all that make a model folder. */
  readonly only?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: DownloadProgress) => void;
  /** Default: that of @huggingface/hub. */
  readonly hubUrl?: string;
  readonly fetch?: typeof fetch;
}

/** `owner/name`, neither of which begins with a dot as a path may. */
const HUB_ID = /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*$/;

/**
 * The folder of a model: a local folder as it is, else that of a Hugging Face hub id `owner/name`, whose config,
 * safetensors and tokenizer are downloaded into the Hugging Face cache unless they are there. An interrupted
 * download goes on where it stopped, and each file is held against its hash before it counts as there. Without a
 * connection, or with `HF_HUB_OFFLINE`, a snapshot that the cache has whole is taken. For gated
 * models the access token is read from `HF_TOKEN`, in Node, and sent to the hub's own origin only. With `files` both
 * folders are in that store.
 *
 * Errors: MISSING (no such folder or model, no safetensors, no connection), INVALID_ARGUMENT (a token that no header can
 * carry), CORRUPT_FILE (a hash that does not match), OUT_OF_MEMORY (the disk is full, or a browser grants less than the
 * model needs); rejects with the signal's reason when aborted.
 *
 * @example
 * const path = await resolveModel('TinyLlama/TinyLlama-1.1B-Chat-v1.0', { signal: AbortSignal.timeout(600_000) });
 */
export async function resolveModel(pathOrHubId: string, options: ResolveModelOptions = {}): Promise<string> {
  const { files = host.files(), signal } = options;
  signal?.throwIfAborted();
  const found = await files.stat(pathOrHubId).catch(() => undefined);
  if (found?.isFolder) return pathOrHubId;
  if (found !== undefined || !HUB_ID.test(pathOrHubId)) {
    throw new SpikeError('MISSING', {
      where: pathOrHubId,
      expected: 'a model folder, or a Hugging Face id like owner/name',
      received: found === undefined ? 'neither' : 'a file',
    });
  }
  const storage = await storageOf(files, pathOrHubId, options.cacheDir);
  const cached = (): Promise<string | undefined> =>
    cachedSnapshot(files, storage, options.revision ?? 'main', options.only);
  if (host.isOffline()) {
    const folder = await cached();
    if (folder !== undefined) return folder;
    throw notCached(pathOrHubId, storage);
  }
  try {
    return await downloadModel(files, pathOrHubId, storage, options);
  } catch (error) {
    signal?.throwIfAborted();
    const folder = isUnreachable(error) ? await cached() : undefined;
    if (folder !== undefined) return folder;
    throw hubError(pathOrHubId, error);
  }
}

async function downloadModel(
  files: FileStore,
  name: string,
  storage: string,
  options: ResolveModelOptions,
): Promise<string> {
  const { HUB_URL, listFiles, modelInfo } = await import('@huggingface/hub');
  const access = hubAccess({ hubUrl: HUB_URL, ...options });
  const repo = { type: 'model', name } as const;
  const revision = options.revision ?? 'main';
  const { sha: commit } = await modelInfo({ name, revision, additionalFields: ['sha'], ...access });
  const entries = new Map<string, ListFileEntry>();
  for await (const entry of listFiles({ repo, revision: commit, recursive: true, ...access })) {
    if (entry.type === 'file') entries.set(entry.path, entry);
  }
  const folder = files.join(storage, 'snapshots', commit);
  const snapshot: Snapshot = { repo, commit, files, storage, folder };

  const wanted = await wantedFiles(snapshot, entries, access, options);
  const totalBytes = wanted.reduce((sum, { size }) => sum + size, 0);
  await checkRoom(snapshot, wanted);
  let loadedBytes = 0;
  for (const entry of wanted) {
    await downloadFile(snapshot, entry, access, options.signal, (bytes) => {
      loadedBytes += bytes;
      options.onProgress?.({ file: entry.path, loadedBytes, totalBytes });
    });
  }
  if (revision !== commit) await writeRef(files, files.join(storage, 'refs', revision), commit);
  return folder;
}

/** Errors: OUT_OF_MEMORY where the store has less room than the files need that are not there yet. */
async function checkRoom({ repo, files, folder }: Snapshot, wanted: readonly ListFileEntry[]): Promise<void> {
  const room = await files.room?.();
  if (room === undefined) return;
  let needed = 0;
  for (const { path, size } of wanted) {
    const whole = files.join(folder, path);
    if (await exists(files, whole)) continue;
    const begun = await files.stat(`${whole}.incomplete`).catch(() => undefined);
    needed += Math.max(0, size - (begun?.size ?? 0));
  }
  if (needed <= room) return;
  const said = (bytes: number): string => (bytes < 1e7 ? `${bytes} bytes` : `${(bytes / 1e9).toFixed(2)} GB`);
  throw new SpikeError('OUT_OF_MEMORY', {
    where: repo.name,
    expected: `room for ${said(needed)} of files`,
    received: `${said(room)} that may still be written`,
    remedy: 'free some space, or use a smaller model',
  });
}

/** Notes which commit a branch or tag stood for, where the libraries that share the cache look for it. */
async function writeRef(files: FileStore, path: string, commit: string): Promise<void> {
  await files.makeFolder(files.dirname(path));
  await writeFileAtomic(files, path, [commit]);
}

/**
 * The hub, and a fetch that ends with the signal and has the token where it belongs. The library is not given the token: it
 * sends it to any host that an answer of the hub names.
 */
function hubAccess({
  hubUrl,
  signal,
  fetch: send = fetch,
}: ResolveModelOptions & { readonly hubUrl: string }): HubAccess {
  const token = hubToken();
  const abortable: typeof fetch = (input, init) =>
    send(input, signal === undefined ? init : { ...init, signal });
  return { hubUrl, fetch: token === undefined ? abortable : fetchWithToken(abortable, hubUrl, token) };
}

/** The files of a repository that make a model folder: the small ones first, then the weights. */
async function wantedFiles(
  snapshot: Snapshot,
  entries: ReadonlyMap<string, ListFileEntry>,
  access: HubAccess,
  { only, signal }: ResolveModelOptions,
): Promise<ListFileEntry[]> {
  const entryOf = (file: string): ListFileEntry => {
    const entry = entries.get(file);
    if (entry !== undefined) return entry;
    throw new SpikeError('MISSING', {
      where: snapshot.repo.name,
      expected: `a repository with ${file}`,
      received: 'one without it',
      remedy: 'only LLaMA-like models in safetensors can be used',
    });
  };
  if (only !== undefined) return only.map(entryOf);
  const config = entryOf(CONFIG_FILE);
  const kept = KEPT_FILES.filter((file) => entries.has(file)).map(entryOf);
  if (entries.has(SINGLE_FILE) || !entries.has(INDEX_FILE)) return [config, ...kept, entryOf(SINGLE_FILE)];
  const index = entryOf(INDEX_FILE);
  const path = await downloadFile(snapshot, index, access, signal, () => {});
  const shards = new Set(
    readWeightMap(snapshot.files, snapshot.folder, await readJsonObject(snapshot.files, path)).values(),
  );
  return [config, ...kept, index, ...Array.from(shards, entryOf)];
}

/** Whether no answer came from the hub at all. */
const isUnreachable = (error: unknown): boolean =>
  error instanceof TypeError && error.cause instanceof Error && 'code' in error.cause;

const notCached = (name: string, storage: string): SpikeError =>
  new SpikeError('MISSING', {
    where: name,
    expected: `a whole snapshot in ${storage}, for HF_HUB_OFFLINE forbids to ask the hub`,
    received: 'none',
    remedy: 'download it once without HF_HUB_OFFLINE',
  });

/** What went wrong between here and the hub, as one sentence. */
function hubError(name: string, error: unknown): unknown {
  const known = fileError(name, error);
  if (known instanceof SpikeError) return known;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  if (typeof status !== 'number') {
    return new SpikeError('MISSING', {
      where: name,
      expected: 'a model folder, or a connection to the Hugging Face hub',
      received: `no such folder, and from the hub: ${withoutToken(reasonOf(error))}`,
      remedy: 'check the connection, or give the path of a model folder',
      cause: error,
    });
  }
  return new SpikeError('MISSING', {
    where: name,
    expected: 'a model folder, or a model of the Hugging Face hub that may be read',
    received: `no such folder, and status ${status} from the hub`,
    remedy: [401, 403, 404].includes(status) ? host.gatedRemedy : 'try again later',
    cause: error,
  });
}

/** The innermost message: that of fetch itself says no more than that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? reasonOf(error.cause) : error.message;
}
