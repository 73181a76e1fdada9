import { mkdir, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { Tensor } from 'onnxruntime-common';
import { exists, fileError, isTemporary, jsonText, readJson, syncFolder, writeFileAtomic } from './files.ts';
import { CONFIG_FILE, INDEX_FILE, KEPT_FILES } from './folder.ts';
import { differences, readJournal, writeJournal, type Fingerprint, type Journal } from './journal.ts';
import { openSafetensors, type SafetensorsFile } from './safetensors.ts';
import { writeSafetensors } from './write-safetensors.ts';

/** Writes an output folder that appears only when it is complete. Calls are made one after the other. */
export interface CheckpointWriter {
  /** Names of the shards that are complete, of this run and of the one that it resumes. */
  readonly finished: ReadonlySet<string>;
  /** The unfinished folder's part for what only a run needs; it is not part of the finished folder. */
  readonly folder: string;
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
   * `copyFrom`, then gives the folder its name. Nothing can be written afterwards.
   *
   * Errors: MISSING (`copyFrom`), EXISTS, MISMATCH (a tensor in two shards), OUT_OF_MEMORY (the disk is full).
   */
  finish(config: Record<string, unknown>, copyFrom: string): Promise<void>;
}

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
  { fingerprint, resume }: { readonly fingerprint: Fingerprint; readonly resume: boolean },
): Promise<CheckpointWriter> {
  const target = resolve(path);
  const partial = `${target}.partial`;
  await refuseExisting(target, 'give another path or delete it');
  if (!resume) await refuseExisting(partial, '--resume to continue it or delete the folder');
  try {
    await mkdir(join(partial, STATE_FOLDER), { recursive: true });
    const journal = await openJournal(partial, fingerprint);
    return createWriter(target, partial, journal);
  } catch (error) {
    throw fileError(partial, error);
  }
}

async function refuseExisting(path: string, remedy: string): Promise<void> {
  if (!(await exists(path))) return;
  throw new SpikeError('EXISTS', {
    where: path,
    expected: 'a path that is free',
    received: 'one that exists',
    remedy,
  });
}

/** The journal of the folder, held against the run and the files; a new one where the run only begins. */
async function openJournal(partial: string, fingerprint: Fingerprint): Promise<Journal> {
  const state = join(partial, STATE_FOLDER);
  const journal = await readJournal(state);
  if (journal === undefined) {
    await refuseForeign(partial);
    const fresh = { fingerprint, shards: new Map<string, number>() };
    await writeJournal(state, fresh);
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
    if ((await fileSize(join(partial, name + SHARD_EXTENSION))) !== bytes) journal.shards.delete(name);
  }
  await removeUnfinished(partial, journal);
  return journal;
}

/** A run writes its journal first, so a folder that has files but no journal is somebody else's. */
async function refuseForeign(partial: string): Promise<void> {
  const entries = (await readdir(partial)).filter((entry) => entry !== STATE_FOLDER);
  if (entries.length === 0) return;
  throw new SpikeError('CORRUPT_FILE', {
    where: partial,
    expected: 'an unfinished run',
    received: `a folder without a journal that has ${entries[0]}`,
    remedy: 'delete the folder or give another path',
  });
}

/** Removes what a killed run was about to write. */
async function removeUnfinished(partial: string, { shards }: Journal): Promise<void> {
  const finished = new Set(Array.from(shards.keys(), (name) => name + SHARD_EXTENSION));
  const isUnfinished = (entry: string): boolean =>
    isTemporary(entry) || (entry.endsWith(SHARD_EXTENSION) && !finished.has(entry));
  const entries = await readdir(partial, { recursive: true });
  await Promise.all(entries.filter(isUnfinished).map((entry) => rm(join(partial, entry))));
}

async function fileSize(path: string): Promise<number | undefined> {
  return stat(path).then(
    ({ size }) => size,
    () => undefined,
  );
}

function createWriter(target: string, partial: string, journal: Journal): CheckpointWriter {
  const state = join(partial, STATE_FOLDER);
  const finished = new Set(journal.shards.keys());
  const notePath = (name: string): string => join(state, `note-${checkName(name)}.json`);
  return {
    finished,
    folder: state,
    openShard: (name) => openSafetensors(join(partial, checkName(name) + SHARD_EXTENSION)),
    async writeShard(name, tensors) {
      const path = join(partial, checkName(name) + SHARD_EXTENSION);
      await writeSafetensors(path, tensors);
      journal.shards.set(name, (await stat(path)).size);
      await writeJournal(state, journal);
      finished.add(name);
    },
    async writeNote(name, json) {
      await writeFileAtomic(notePath(name), [jsonText(json)]);
    },
    async readNote(name) {
      return readIfThere(notePath(name));
    },
    async writeJson(file, json) {
      await writeFileAtomic(join(partial, checkName(file)), [jsonText(json)]);
    },
    async readJson(file) {
      return readIfThere(join(partial, checkName(file)));
    },
    async finish(config, copyFrom) {
      try {
        const names = [...finished].toSorted();
        if (names.length !== 1 || names[0] !== 'model') await writeIndex(partial, names);
        await copyKept(copyFrom, partial);
        await writeFileAtomic(join(partial, CONFIG_FILE), [jsonText(config)]);
        await refuseExisting(target, 'move it away and resume');
        await rename(partial, target);
        await syncFolder(dirname(target));
        // Last, so that a run killed before the rename can still be resumed.
        await rm(join(target, STATE_FOLDER), { recursive: true });
      } catch (error) {
        throw fileError(partial, error);
      }
    },
  };
}

const readIfThere = async (path: string): Promise<unknown> =>
  (await exists(path)) ? readJson(path) : undefined;

/** Names become file names, so they are held to what every file system takes. */
function checkName(name: string): string {
  if (/^[A-Za-z0-9][\w.-]*$/.test(name)) return name;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'checkpoint',
    expected: 'a name of letters, digits, dots, dashes and underscores',
    received: JSON.stringify(name),
  });
}

async function writeIndex(partial: string, names: readonly string[]): Promise<void> {
  const shardOf = new Map<string, string>();
  let totalSize = 0;
  for (const shard of names.map((name) => name + SHARD_EXTENSION)) {
    await using file = await openSafetensors(join(partial, shard));
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
  await writeFileAtomic(join(partial, INDEX_FILE), [jsonText(index)]);
}

async function copyKept(from: string, partial: string): Promise<void> {
  await stat(from).catch((error: unknown) => {
    throw fileError(from, error);
  });
  for (const file of KEPT_FILES) {
    if (!(await exists(join(from, file)))) continue;
    // Read and written rather than copied, for a copy takes over permissions that may forbid to write it again.
    await writeFileAtomic(join(partial, file), [await readFile(join(from, file))]);
  }
}
