import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createMemoryFiles, openModelFolder, type MemoryFiles } from '@spikellm/checkpoint';
import { describe, expect, it } from 'vitest';
import { DEFAULT_SETTINGS, quantize, type QuantizeSettings } from '../src/index.ts';
import { tinyWindows } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const windows = tinyWindows(4, 40);
const { source, backend, run } = tinyRuns(windows);

/** The tiny model as a page has it: Blobs by name. */
async function modelFiles(): Promise<MemoryFiles> {
  await writeFile(join(source, 'tokenizer.json'), '{"of":"the model"}');
  const names = ['config.json', 'model.safetensors', 'tokenizer.json'];
  const blobs = names.map(async (name) => {
    const bytes = await readFile(join(source, name));
    return [`tiny/${name}`, new Blob([bytes])] as const;
  });
  return createMemoryFiles(await Promise.all(blobs));
}

/** Every file of a folder in memory, base64 by name. */
async function contentsInMemory(files: MemoryFiles, folder: string): Promise<Record<string, string>> {
  const entries = Array.from(files.blobs(folder), async ([name, blob]) => {
    return [name, Buffer.from(await blob.arrayBuffer()).toString('base64')] as const;
  });
  return Object.fromEntries(await Promise.all(entries));
}

describe('quantize from Blobs into memory', () => {
  it.for(['smoothquant', 'gptq', 'omniquant'] as const)(
    'writes the bytes that %s writes to disk, spilled activations or not',
    async (pipeline) => {
      const options = pipeline === 'omniquant' ? { epochs: 1 } : {};
      const settings: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline, options };
      const given = await modelFiles();
      const expected = await contents(await run(pipeline, settings));
      for (const memory of [0, 2 ** 20]) {
        const files = createMemoryFiles();
        await using model = await openModelFolder('tiny', { files: given });
        await quantize({ model, out: 'out', backend, windows, settings, memory, files });
        expect(await contentsInMemory(files, 'out')).toEqual(expected);
        expect(await files.list('/')).toEqual(['out']);
      }
    },
  );

  it('goes on where an aborted run stopped', async () => {
    const given = await modelFiles();
    const expected = await contents(await run('whole'));
    const files = createMemoryFiles();
    await using model = await openModelFolder('tiny', { files: given });
    const options = { model, out: 'out', backend, windows, settings: DEFAULT_SETTINGS, files };
    const controller = new AbortController();
    const reason = new Error('enough');
    const aborted = quantize({
      ...options,
      signal: controller.signal,
      onProgress: ({ phase, done }) => phase === 'encode' && done === 2 && controller.abort(reason),
    });
    await expect(aborted).rejects.toBe(reason);
    expect(await files.list('/')).toEqual(['out.partial']);
    await quantize({ ...options, resume: true });
    expect(await contentsInMemory(files, 'out')).toEqual(expected);
  });
});
