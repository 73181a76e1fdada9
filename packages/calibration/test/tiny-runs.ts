import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createReferenceBackend } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { afterAll, beforeAll } from 'vitest';
import { DEFAULT_SETTINGS, quantize, type QuantizeOptions, type QuantizeSettings } from '../src/index.ts';
import { writeTinyModel } from './tiny-model.ts';

type RunOptions = Partial<QuantizeOptions> & { readonly from?: string };

/** Runs of the pipelines on the tiny model, in a folder that lives as long as the tests of the file. */
export function tinyRuns(windows: QuantizeOptions['windows'], defaults: QuantizeSettings = DEFAULT_SETTINGS) {
  const folder = mkdtempSync(join(tmpdir(), 'spikellm-calibration-'));
  const source = join(folder, 'source');
  const backend = createReferenceBackend();
  beforeAll(() => writeTinyModel(source));
  afterAll(async () => {
    await rm(folder, { recursive: true });
    backend.dispose();
  });
  /** Quantises the float model, with changes to the defaults, and returns where the result is. */
  const run = async (
    out: string,
    changes: Partial<QuantizeSettings> = {},
    { from = source, ...options }: RunOptions = {},
  ): Promise<string> => {
    await using model = await openModelFolder(from);
    const settings = { ...defaults, ...changes };
    await quantize({ model, out: join(folder, out), backend, settings, windows, ...options });
    return join(folder, out);
  };
  return { folder, source, backend, run };
}

/** Every file of a folder, base64 by name. */
export async function contents(path: string): Promise<Record<string, string>> {
  const files = (await readdir(path)).toSorted();
  return Object.fromEntries(
    await Promise.all(
      files.map(async (file) => [file, (await readFile(join(path, file))).toString('base64')]),
    ),
  );
}
