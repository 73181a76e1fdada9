import { createWasmBackend } from '@spikellm/backend-wasm';
import { quantize, type QuantizeSettings } from '@spikellm/calibration';
import { createMemoryFiles, openModelFolder, openOpfsFiles } from '@spikellm/checkpoint';
import { fetchDemoFiles } from './demo-model.ts';

export interface QuantizeRequest {
  readonly settings: QuantizeSettings;
  readonly windows: readonly (readonly number[])[];
  /** Where the result is written. */
  readonly store: 'memory' | 'opfs';
}

/** The files of the result, or what went wrong. */
export type Quantised = ReadonlyMap<string, Blob> | string;

self.addEventListener('message', ({ data }: MessageEvent<QuantizeRequest>) => {
  run(data).then(
    (quantised) => postMessage(quantised),
    (error: Error) => postMessage(error.message),
  );
});

async function run({ settings, windows, store }: QuantizeRequest): Promise<Quantised> {
  const memory = createMemoryFiles();
  const files = store === 'memory' ? memory : await openOpfsFiles();
  using backend = await createWasmBackend({ isa: 'simd128', threads: 1 });
  await using model = await openModelFolder('demo', { files: await fetchDemoFiles() });
  // No memory for activations: they are spilled.
  await quantize({ model, out: 'out', files, backend, settings, windows, memory: 0 });
  return store === 'memory' ? memory.blobs('out') : blobsOf('out');
}

/** The files of a folder of the origin's private ones. */
async function blobsOf(name: string): Promise<Map<string, Blob>> {
  const root = await navigator.storage.getDirectory();
  const blobs = new Map<string, Blob>();
  for await (const [file, handle] of (await root.getDirectoryHandle(name)).entries())
    blobs.set(file, await (handle as FileSystemFileHandle).getFile());
  return blobs;
}
