import type { FileStore } from '../store.ts';
import { mismatch } from './errors.ts';
import { openGgufFile, type GgufFile } from './file.ts';

/** How the files of a split model are called: `<name>-00001-of-00003.gguf`. */
const SHARD = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/s;

/**
 * The files of a model, the first one first: `path` alone, or all that it is one of. Metadata is that of the first.
 * Errors: those of `openGgufFile`; MISMATCH for files that are not parts of one model.
 */
export async function openShards(files: FileStore, path: string): Promise<readonly GgufFile[]> {
  const paths = pathsOf(path);
  const opened: GgufFile[] = [];
  try {
    for (const [index, shard] of paths.entries()) {
      const file = await openGgufFile(shard, { files });
      opened.push(file);
      checkShard(file, index, paths.length);
    }
    checkNames(opened);
  } catch (error) {
    await closeAll(opened);
    throw error;
  }
  return opened;
}

export async function closeAll(opened: readonly GgufFile[]): Promise<void> {
  await Promise.all(opened.map((file) => file.close()));
}

function pathsOf(path: string): string[] {
  const [, name, , of, extension] = SHARD.exec(path) ?? [];
  if (of === undefined || Number(of) === 0) return [path];
  return Array.from(
    { length: Number(of) },
    (_, i) => `${name}-${String(i + 1).padStart(5, '0')}-of-${of}${extension}`,
  );
}

const REMEDY = 'keep all parts of the model in one folder, under the names that they were made with';

function checkShard({ path, metadata }: GgufFile, index: number, count: number): void {
  const stated = metadata.get('split.count') ?? 1;
  if (stated !== count && !(stated === 0 && count === 1)) {
    const expected = `a file of a model in ${count} parts, as its name says`;
    throw mismatch(path, expected, `split.count ${String(stated)}`, REMEDY);
  }
  const number = metadata.get('split.no') ?? 0;
  if (number === index) return;
  throw mismatch(path, `part ${index + 1}, as its name says`, `split.no ${String(number)}`, REMEDY);
}

function checkNames(opened: readonly GgufFile[]): void {
  const fileOf = new Map<string, string>();
  for (const { path, tensors } of opened) {
    for (const name of tensors.keys()) {
      const before = fileOf.get(name);
      if (before !== undefined) {
        throw mismatch(path, `tensor ${name} in one file of the model`, `one in ${before} too`, REMEDY);
      }
      fileOf.set(name, path);
    }
  }
  const stated = opened[0].metadata.get('split.tensors.count') ?? fileOf.size;
  if (stated === fileOf.size) return;
  throw mismatch(opened[0].path, `${String(stated)} tensors in all parts`, String(fileOf.size), REMEDY);
}
