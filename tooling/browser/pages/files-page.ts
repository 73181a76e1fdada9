import { createMemoryFiles, type FileStore, type WritableFile } from '@spikellm/checkpoint';
import type { FilesAnswer, FilesCall } from './files-worker.ts';

/** The private files of the origin, as a worker of this page writes them. */
export interface WorkerFiles {
  readonly files: FileStore;
  /** Ends the worker wherever it is, as a closed page does. */
  kill(): void;
}

export function openWorkerFiles(): WorkerFiles {
  const worker = new Worker(new URL('./files-worker.ts', import.meta.url), { type: 'module' });
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: unknown): void }>();
  worker.addEventListener('message', ({ data }: MessageEvent<FilesAnswer>) => {
    const call = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.error === undefined) call?.resolve(data.value);
    else call?.reject(data.error);
  });
  let calls = 0;
  const call = async <T>(name: string, args: readonly unknown[], file?: number): Promise<T> => {
    const id = ++calls;
    const answered = new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
    });
    worker.postMessage({ id, name, args, ...(file !== undefined && { file }) } satisfies FilesCall, []);
    return (await answered) as T;
  };
  const opened = async (name: string, ...args: unknown[]): Promise<WritableFile> => {
    const { file, size } = await call<{ file: number; size: number }>(name, args);
    return {
      size,
      async read(target, position) {
        const bytes = await call<Uint8Array>('read', [target.length, position], file);
        target.set(bytes);
        return bytes.length;
      },
      write: (bytes, position) => call('write', [bytes, position], file),
      flush: () => call('flush', [], file),
      close: () => call('close', [], file),
    };
  };
  return {
    files: {
      ...createMemoryFiles(), // for its paths
      stat: (path) => call('stat', [path]),
      list: (folder) => call('list', [folder]),
      open: (path) => opened('open', path),
      create: (path, options) => opened('create', path, options),
      makeFolder: (path) => call('makeFolder', [path]),
      move: (from, to) => call('move', [from, to]),
      remove: (path) => call('remove', [path]),
      room: () => call('room', []),
    },
    kill: () => worker.terminate(),
  };
}
