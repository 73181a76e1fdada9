import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { ModelFolder } from '@spikellm/checkpoint';
import { showProgress } from '../progress.ts';
import type { Session } from '../session.ts';

/** Part of every fingerprint: to be raised when what is kept changes its form or its meaning. */
const FORMAT = 2;

/** Results by the fingerprint of all that decides them. */
export interface ResultCache {
  /** What is kept for these inputs; undefined where there is nothing, or nothing that can be read. */
  find<T>(inputs: unknown): Promise<T | undefined>;
  keep(inputs: unknown, result: unknown): Promise<void>;
}

/** `$XDG_CACHE_HOME/spikellm/compare`, or the same in ~/.cache. */
export const defaultCacheFolder = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'spikellm', 'compare');

/**
 * A folder of JSON files. Errors: INVALID_ARGUMENT where it cannot be written.
 *
 * @param fresh - find nothing, and replace what is there
 */
export async function openCache(
  folder: string,
  { fresh }: { readonly fresh: boolean },
): Promise<ResultCache> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw unwritable(folder, cause);
  });
  const path = (inputs: unknown): string => join(folder, `${digest(JSON.stringify([FORMAT, inputs]))}.json`);
  return {
    async find<T>(inputs: unknown) {
      if (fresh) return undefined;
      const text = await readFile(path(inputs), 'utf8').catch(() => undefined);
      try {
        return text === undefined ? undefined : (JSON.parse(text) as T);
      } catch {
        return undefined;
      }
    },
    async keep(inputs, result) {
      const target = path(inputs);
      const temporary = `${target}.${process.pid}.tmp`;
      try {
        await writeFile(temporary, JSON.stringify(result));
        await rename(temporary, target);
      } catch (error) {
        throw unwritable(folder, error as Error);
      }
    },
  };
}

const unwritable = (folder: string, cause: Error): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where: '--cache',
    expected: 'a folder that can be written',
    received: `${folder} (${cause.message})`,
    cause,
  });

export const digest = (data: string | Uint8Array): string =>
  createHash('sha256').update(data).digest('hex').slice(0, 32);

/** A text that is equal for models with the same config and weights. Reads every weight once. */
export async function fingerprintModel(
  session: Session,
  { config, tensors }: Pick<ModelFolder, 'config' | 'tensors'>,
): Promise<string> {
  using progress = showProgress(session);
  const hash = createHash('sha256');
  hash.update(JSON.stringify(config));
  const names = [...tensors.names()].toSorted();
  for (const [index, name] of names.entries()) {
    session.signal.throwIfAborted();
    const { data } = await tensors.read(name, { as: 'stored', signal: session.signal });
    hash.update(name).update(data as Uint8Array);
    progress.update('fingerprint', index + 1, names.length);
  }
  return hash.digest('hex').slice(0, 32);
}
