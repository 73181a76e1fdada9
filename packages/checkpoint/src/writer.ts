import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import type { Tensor } from 'onnxruntime-common';
import {
  exists,
  fileError,
  isTemporary,
  jsonText,
  nothingAt,
  readBytes,
  readJson,
  writeFileAtomic,
} from './files.ts';
import { CONFIG_FILE, INDEX_FILE, KEPT_FILES, type ModelFolder } from './folder.ts';
import type { GgufFolder } from './gguf/folder.ts';
import { differences, readJournal, writeJournal, type Fingerprint, type Journal } from './journal.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors.ts';
import type { FilesOption, FileStore } from './store.ts';
import { writeSafetensors } from './write-safetensors.ts';

/** Writes an output folder that appears only when it is complete. Calls are made one after the other. */
export interface CheckpointWriter {
  /** Names of the shards that are complete, of this run and of the one that it resumes. */
  readonly finished: ReadonlySet<string>;
  /** The unfinished folder's part for what only a run needs; it is not part of the finished folder. */
  readonly folder: string;
  /** Where that folder lies. */
  readonly files: FileStore;
  /**
   * Writes `<name>.safetensors` and records it; from then on a crash does not lose it.
   * Errors: as `writeSafetensors`.
   */
  writeShard(name: string, tensors: Iterable<readonly [string, Tensor]>): Promise<void>;
  /** Opens a finished shard; the caller disposes it. Errors: as `openSafetensors`. */
  openShard(name: string): Promise<SafetensorsFile>;
  /** Keeps a small state for a resumed run (plain JSON, finite numbers); it is not part of the finished folder. */
  writeNote(name: string, json: unknown): Promise<void>;
  /** The note of that name, undefined where there is none. */
  readNote(name: string): Promise<unknown>;
  /** Writes a JSON file of the folder, in place of an earlier one of that name: a log can grow as the run goes. */
  writeJson(file: string, json: unknown): Promise<void>;
  /** That file, undefined where there is none. */
  readJson(file: string): Promise<unknown>;
  /**
   * Adds config.json, the index of the shards (except for a single shard called `model`) and the tokenizer files of
   * `copyFrom`, a folder of the same store or an open one of any, then gives the folder its name. Nothing can be written
   * afterwards.
   *
   * Errors: MISSING (`copyFrom`), EXISTS, MISMATCH (a tensor in two shards), OUT_OF_MEMORY (the disk is full).
   */
  finish(config: Record<string, unknown>, copyFrom: string | CopySource): Promise<void>;
}

/** A folder, in the store of the writer where it names none. */
type CopySource = Pick<ModelFolder, 'path'> & FilesOption & Partial<Pick<GgufFolder, 'keptFiles'>>;

const SHARD_EXTENSION = '.safetensors';

/** The folder within `<path>.partial` that holds what only a resumed run needs. */
const STATE_FOLDER = '.resume';

/**
 * Begins or resumes an output folder. All is written to `<path>.partial`, which `finish` renames; folders above it
 * are made where they are missing.
 *
 * @param options.fingerprint equal for two runs only when they would write the same bytes
 * @param options.resume continue `<path>.partial` where there is one
 *
 * Errors: EXISTS (`path`, or an unfinished run without `resume`), MISMATCH (an unfinished run with another
 * fingerprint), CORRUPT_FILE (a folder of that name that is not an unfinished run).
 *
 * @example
 * const writer = await createCheckpoint('out', { fingerprint: { model: 'tales', seed: 0 }, resume: true });
 * if (!writer.finished.has('model')) await writer.writeShard('model', tensors);
 * await writer.finish(config, 'models/tales');
 */
export async function createCheckpoint(
  path: string,
  {
    fingerprint,
    resume,
    files = host.files(),
  }: FilesOption & { readonly fingerprint: Fingerprint; readonly resume: boolean },
): Promise<CheckpointWriter> {
  const target = files.resolve(path);
  const partial = `${target}.partial`;
  await refuseExisting(files, target, 'give another path or delete it');
  if (!resume) await refuseExisting(files, partial, '--resume to continue it or delete the folder');
  try {
    await files.makeFolder(files.join(partial, STATE_FOLDER));
    const journal = await openJournal(files, partial, fingerprint);
    return createWriter(files, target, partial, journal);
  } catch (error) {
    throw fileError(partial, error);
  }
}

async function refuseExisting(files: FileStore, path: string, remedy: string): Promise<void> {
  if (!(await exists(files, path))) return;
  throw new SpikeError('EXISTS', {
    where: path,
    expected: 'a path that is free',
    received: 'one that exists',
    remedy,
  });
}

/** The journal of the folder, held against the run and the files; a new one where the run only begins. */
async function openJournal(files: FileStore, partial: string, fingerprint: Fingerprint): Promise<Journal> {
  const state = files.join(partial, STATE_FOLDER);
  const journal = await readJournal(files, state);
  if (journal === undefined) {
    await refuseForeign(files, partial);
    const fresh = { fingerprint, shards: new Map<string, number>() };
    await writeJournal(files, state, fresh);
    return fresh;
  }
  const changed = differences(journal.fingerprint, fingerprint);
  if (changed.length > 0) {
    throw new SpikeError('MISMATCH', {
      where: partial,
      expected: 'the run that began it',
      received: `one with ${changed.join(', ')}`,
      remedy: 'resume with the model, text and options of that run, or delete the folder to start over',
    });
  }
  for (const [name, bytes] of journal.shards) {
    if ((await fileSize(files, files.join(partial, name + SHARD_EXTENSION))) !== bytes)
      journal.shards.delete(name);
  }
  await removeUnfinished(files, partial, journal);
  return journal;
}

/** A run writes its journal first, so a folder that has files but no journal is somebody else's. */
async function refuseForeign(files: FileStore, partial: string): Promise<void> {
  const entries = (await files.list(partial)).filter((entry) => entry !== STATE_FOLDER);
  if (entries.length === 0) return;
  throw new SpikeError('CORRUPT_FILE', {
    where: partial,
    expected: 'an unfinished run',
    received: `a folder without a journal that has ${entries[0]}`,
    remedy: 'delete the folder or give another path',
  });
}

/** Removes what a killed run was about to write. */
async function removeUnfinished(files: FileStore, partial: string, { shards }: Journal): Promise<void> {
  const finished = new Set(Array.from(shards.keys(), (name) => name + SHARD_EXTENSION));
  const isUnfinished = (entry: string): boolean =>
    isTemporary(entry) || (entry.endsWith(SHARD_EXTENSION) && !finished.has(entry));
  for (const folder of [partial, files.join(partial, STATE_FOLDER)]) {
    const entries = (await files.list(folder)).filter(isUnfinished);
    await Promise.all(entries.map((entry) => files.remove(files.join(folder, entry))));
  }
}

async function fileSize(files: FileStore, path: string): Promise<number | undefined> {
  return files.stat(path).then(
    (found) => found?.size,
    () => undefined,
  );
}

function createWriter(files: FileStore, target: string, partial: string, journal: Journal): CheckpointWriter {
  const state = files.join(partial, STATE_FOLDER);
  const finished = new Set(journal.shards.keys());
  const notePath = (name: string): string => files.join(state, `note-${checkName(name)}.json`);
  return {
    finished,
    folder: state,
    files,
    openShard: (name) => openSafetensors(files.join(partial, checkName(name) + SHARD_EXTENSION), { files }),
    async writeShard(name, tensors) {
      const path = files.join(partial, checkName(name) + SHARD_EXTENSION);
      await writeSafetensors(path, tensors, undefined, { files });
      journal.shards.set(name, (await fileSize(files, path)) ?? 0);
      await writeJournal(files, state, journal);
      finished.add(name);
    },
    async writeNote(name, json) {
      await writeFileAtomic(files, notePath(name), [jsonText(json)]);
    },
    async readNote(name) {
      return readIfThere(files, notePath(name));
    },
    async writeJson(file, json) {
      await writeFileAtomic(files, files.join(partial, checkName(file)), [jsonText(json)]);
    },
    async readJson(file) {
      return readIfThere(files, files.join(partial, checkName(file)));
    },
    async finish(config, copyFrom) {
      try {
        const names = [...finished].toSorted();
        if (names.length !== 1 || names[0] !== 'model') await writeIndex(files, partial, names);
        await copyKept(typeof copyFrom === 'string' ? { path: copyFrom } : copyFrom, files, partial);
        await writeFileAtomic(files, files.join(partial, CONFIG_FILE), [jsonText(config)]);
        await refuseExisting(files, target, 'move it away and resume');
        await files.move(partial, target);
        // Last, so that a run killed before the rename can still be resumed.
        await files.remove(files.join(target, STATE_FOLDER));
      } catch (error) {
        throw fileError(partial, error);
      }
    },
  };
}

const readIfThere = async (files: FileStore, path: string): Promise<unknown> =>
  (await exists(files, path)) ? readJson(files, path) : undefined;

/** Names become file names, so they are held to what every file system takes. */
function checkName(name: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(name)) return name;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'checkpoint',
    expected: 'a name of letters, digits, dots, dashes and underscores',
    received: JSON.stringify(name),
  });
}

async function writeIndex(files: FileStore, partial: string, names: readonly string[]): Promise<void> {
  const shardOf = new Map<string, string>();
  let totalSize = 0;
  for (const shard of names.map((name) => name + SHARD_EXTENSION)) {
    await using file = await openSafetensors(files.join(partial, shard), { files });
    for (const name of file.names()) {
      const other = shardOf.get(name);
      if (other !== undefined) {
        throw new SpikeError('MISMATCH', {
          where: partial,
          expected: `tensor ${name} in one shard`,
          received: `it in ${other} and ${shard}`,
        });
      }
      shardOf.set(name, shard);
      totalSize += file.info(name)?.bytes ?? 0;
    }
  }
  const index = {
    metadata: { total_size: totalSize },
    weight_map: Object.fromEntries(shardOf),
  };
  await writeFileAtomic(files, files.join(partial, INDEX_FILE), [jsonText(index)]);
}

async function copyKept(from: CopySource, files: FileStore, partial: string): Promise<void> {
  const { path, files: sources = files, keptFiles } = from;
  if (keptFiles !== undefined) {
    for (const [file, json] of Object.entries(keptFiles()))
      await writeFileAtomic(files, files.join(partial, file), [jsonText(json)]);
    return;
  }
  const found = await sources.stat(path).catch((error: unknown) => {
    throw fileError(path, error);
  });
  if (found === undefined) throw nothingAt(path);
  for (const file of KEPT_FILES) {
    const source = sources.join(path, file);
    if (!(await exists(sources, source))) continue;
    // Read and written rather than copied, for a copy takes over permissions that may forbid to write it again.
    await writeFileAtomic(files, files.join(partial, file), [await readBytes(sources, source)]);
  }
}
