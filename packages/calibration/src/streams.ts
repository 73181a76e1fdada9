import { join } from 'node:path';
import type { Backend, DeviceTensor } from '@spikellm/backend';
import { createSpillFile } from '@spikellm/checkpoint';

/** Activations of all calibration windows between two layers: one tensor [length, hidden] float32 each. */
export interface ActivationStream extends AsyncDisposable {
  /** Runs `body` on one window's activations, which live as long as the body runs. */
  use<T>(window: number, body: (x: DeviceTensor) => Promise<T>): Promise<T>;
  /** Takes a window's new activations in place of the old ones; they belong to the stream from then on. */
  set(window: number, x: DeviceTensor): Promise<void>;
}

export interface StreamOptions {
  readonly backend: Backend;
  /** Shape [length, hidden] of each window's activations. */
  readonly dims: readonly [number, number];
  /** Windows that stay on the device; the others go to the file. */
  readonly resident: number;
  readonly folder: string;
  readonly name: string;
}

/** A stream without activations. Its file, where it needs one, is deleted with it. */
export async function createStream({
  backend,
  dims,
  resident,
  folder,
  name,
}: StreamOptions): Promise<ActivationStream> {
  const bytes = dims[0] * dims[1] * Float32Array.BYTES_PER_ELEMENT;
  const kept = new Map<number, DeviceTensor>();
  let file: Awaited<ReturnType<typeof createSpillFile>> | undefined;
  return {
    async use(window, body) {
      const held = kept.get(window);
      if (held !== undefined) return body(held);
      const data = new Float32Array(bytes / Float32Array.BYTES_PER_ELEMENT);
      await file!.read(window, new Uint8Array(data.buffer));
      using x = backend.upload({ type: 'float32', dims, data });
      return await body(x);
    },
    async set(window, x) {
      if (window < resident) {
        kept.get(window)?.dispose();
        kept.set(window, x);
        return;
      }
      using spilled = x;
      const { data } = await backend.read(spilled);
      file ??= await createSpillFile(join(folder, `${name}.stream`), bytes);
      await file.write(
        window,
        new Uint8Array((data as Float32Array).buffer, (data as Float32Array).byteOffset, bytes),
      );
    },
    async [Symbol.asyncDispose]() {
      for (const x of kept.values()) x.dispose();
      kept.clear();
      await file?.[Symbol.asyncDispose]();
      file = undefined;
    },
  };
}
