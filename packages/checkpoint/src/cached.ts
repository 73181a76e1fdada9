import { host } from '#host';
import { exists, readBytes, readJsonObject } from './files.ts';
import { CONFIG_FILE, INDEX_FILE, readWeightMap, SINGLE_FILE } from './folder.ts';
import type { FileStore } from './store.ts';

/** Where a model of the hub lies in the cache. */
export async function storageOf(
  files: FileStore,
  name: string,
  cacheDir: string | undefined,
): Promise<string> {
  return files.join(cacheDir ?? (await host.hubCache()), `models--${name.replace('/', '--')}`);
}

/**
 * The snapshot of a model that the cache has whole, or with the files `only`, by a branch, tag or commit; undefined where there is none.
 * Errors: CORRUPT_FILE (an index that cannot be read).
 */
export async function cachedSnapshot(
  files: FileStore,
  storage: string,
  revision: string,
  only?: readonly string[],
): Promise<string | undefined> {
  const ref = files.join(storage, 'refs', revision);
  const commit = (await exists(files, ref))
    ? new TextDecoder().decode(await readBytes(files, ref)).trim()
    : revision;
  const snapshots = files.join(storage, 'snapshots');
  if (!files.isInside(snapshots, commit)) return undefined;
  const folder = files.join(snapshots, commit);
  for (const file of only ?? [CONFIG_FILE, ...(await weightsOf(files, folder))]) {
    if (!(await exists(files, files.join(folder, file)))) return undefined;
  }
  return folder;
}

async function weightsOf(files: FileStore, folder: string): Promise<string[]> {
  const index = files.join(folder, INDEX_FILE);
  if ((await exists(files, files.join(folder, SINGLE_FILE))) || !(await exists(files, index)))
    return [SINGLE_FILE];
  return [...new Set(readWeightMap(files, folder, await readJsonObject(files, index)).values())];
}
