import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { GoldenFiles } from './types.ts';

/**
 * Reads `<name>.json` from the folder named by `SPIKELLM_GOLDEN_DIR`, else from this package.
 *
 * @throws when the file is not there or is not JSON
 */
export function readGolden<Name extends keyof GoldenFiles>(name: Name): GoldenFiles[Name] {
  return JSON.parse(readFileSync(goldenPath(`${name}.json`), 'utf8'));
}

/** The path of a file in the folder named by `SPIKELLM_GOLDEN_DIR`, else in this package. */
export function goldenPath(file: string): string {
  const own = fileURLToPath(new URL('../numbers', import.meta.url));
  return join(process.env.SPIKELLM_GOLDEN_DIR ?? own, file);
}

/**
 * The folder with the models and texts that are too large or too foreign to commit: the one named by
 * `SPIKELLM_SHARED_DIR`, else `shared` beside the repository. Undefined where there is none, so that a test
 * can skip with that reason.
 */
export function sharedDirectory(): string | undefined {
  const beside = fileURLToPath(new URL('../../../../shared', import.meta.url));
  return [process.env.SPIKELLM_SHARED_DIR ?? beside].find((directory) => existsSync(directory));
}
