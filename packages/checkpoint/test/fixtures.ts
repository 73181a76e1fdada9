import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sharedDirectory } from '@spikellm/golden';
import { onTestFinished, type TestContext } from 'vitest';

export { expectError, safetensorsBytes, tensorOf } from './any-fixtures.ts';

/** An empty folder that is removed when the test is over. */
export async function temporaryFolder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'spikellm-checkpoint-'));
  onTestFinished(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** The folder with models and texts; skips the test where there is none. */
export function sharedOrSkip(context: TestContext): string {
  return sharedDirectory() ?? context.skip('the folder of shared models and texts is not there');
}

/** A golden file that is not committed; skips the test where there is none. */
export function sharedGoldenOrSkip(context: TestContext, file: string): string {
  const path = join(process.env.SPIKELLM_GOLDEN_DIR ?? join(sharedOrSkip(context), 'golden'), file);
  return existsSync(path) ? path : context.skip(`the golden file ${file} is not there`);
}

/** Writes a file into a new folder and returns its path. */
export async function temporaryFile(bytes: Uint8Array, name = 'model.safetensors'): Promise<string> {
  const path = join(await temporaryFolder(), name);
  await writeFile(path, bytes);
  return path;
}
