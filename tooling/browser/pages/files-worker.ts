/** The private files of the origin, written where they may be: a page calls the operations of the store by messages. */
import { openOpfsFiles, type WritableFile } from '@spikellm/checkpoint';

export interface FilesCall {
  readonly id: number;
  /** Of the store, or of an open file. */
  readonly file?: number;
  readonly name: string;
  readonly args: readonly unknown[];
}

export interface FilesAnswer {
  readonly id: number;
  readonly value?: unknown;
  readonly error?: unknown;
}

const open: WritableFile[] = [];
const opening = openOpfsFiles();

async function answer({ file, name, args }: FilesCall): Promise<unknown> {
  const files = await opening;
  if (file === undefined) {
    const value = await (files[name as 'open'] as (...args: unknown[]) => Promise<unknown>)(...args);
    if (name !== 'open' && name !== 'create') return value;
    return { file: open.push(value as WritableFile) - 1, size: (value as WritableFile).size };
  }
  if (name !== 'read')
    return (open[file][name as 'close'] as (...args: unknown[]) => Promise<unknown>)(...args);
  const [length, position] = args as [number, number];
  const target = new Uint8Array(length);
  return target.subarray(0, await open[file].read(target, position));
}

self.addEventListener('message', ({ data }: MessageEvent<FilesCall>) => {
  answer(data).then(
    (value) => postMessage({ id: data.id, value } satisfies FilesAnswer),
    (error: unknown) => postMessage({ id: data.id, error } satisfies FilesAnswer),
  );
});
