import type { Backend, DeviceTensor } from '@spikellm/backend';
import { createSpillFile, type CheckpointWriter, type FilesOption } from '@spikellm/checkpoint';
import type { ModelGraph } from '@spikellm/graph';

/** Activations of all calibration windows between two layers: one tensor [length, hidden] float32 each. */
export interface ActivationStream extends AsyncDisposable {
  /** Runs `body` on one window's activations, which live as long as the body runs. */
  use<T>(window: number, body: (x: DeviceTensor) => Promise<T>): Promise<T>;
  /** Takes a window's new activations in place of the old ones; they belong to the stream from then on. */
  set(window: number, x: DeviceTensor): Promise<void>;
}

export interface StreamOptions extends FilesOption {
  readonly backend: Backend;
  /** Shape [length, hidden] of each window's activations. */
  readonly dims: readonly [number, number];
  /** Windows that stay on the device; the others go to the file. */
  readonly resident: number;
  readonly folder: string;
  readonly name: string;
}

/** How much memory activations may take, and the folder for the rest. */
export interface Spilling extends FilesOption {
  /** Bytes. */
  readonly memory: number;
  readonly folder: string;
}

/** In the unfinished folder of a run, with which it goes. */
export const spillingOf = ({ folder, files }: CheckpointWriter, memory: number): Spilling => ({
  memory,
  folder,
  files,
});

/** Streams that share memory equally, by name. */
export async function createStreams<Name extends string>(
  {
    backend,
    graph,
    windows,
    spilling,
  }: {
    readonly backend: Backend;
    readonly graph: Pick<ModelGraph, 'config'>;
    readonly windows: readonly (readonly number[])[];
    readonly spilling?: Spilling | undefined;
  },
  names: readonly Name[],
): Promise<Record<Name, ActivationStream>> {
  const dims = [windows[0].length, graph.config.hiddenSize] as const;
  const bytes = windowBytes(dims);
  const resident = spilling ? Math.floor(spilling.memory / (names.length * bytes)) : windows.length;
  const { folder = '', files } = spilling ?? {};
  const open = async (name: Name) =>
    [name, await createStream({ backend, dims, resident, folder, name, ...(files && { files }) })] as const;
  return Object.fromEntries(await Promise.all(names.map(open))) as Record<Name, ActivationStream>;
}

/** Bytes of one window's activations. */
const windowBytes = ([length, hidden]: readonly [number, number]): number =>
  length * hidden * Float32Array.BYTES_PER_ELEMENT;

/** A stream without activations. Its file, where it needs one, is deleted with it. */
export async function createStream({
  backend,
  dims,
  resident,
  name,
  ...place
}: StreamOptions): Promise<ActivationStream> {
  const bytes = windowBytes(dims);
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
      file ??= await createSpillFile({ ...place, name: `${name}.stream`, slotBytes: bytes });
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
