/** Files that a reader drops or picks, as a model folder. */

export interface PathFile {
  /** With the names of the folders above it, as far as they are known. */
  readonly path: string;
  readonly file: File;
}

export const pathsOfInput = ({ files }: HTMLInputElement): PathFile[] =>
  Array.from(files ?? [], (file) => ({ path: file.webkitRelativePath || file.name, file }));

/** What is dropped, folders with all that is below them. It is to be called in the event's own turn. */
export async function pathsOfDrop({ items }: DataTransfer): Promise<PathFile[]> {
  const found = Array.from(items, async (item): Promise<PathFile[]> => {
    const entry = item.webkitGetAsEntry();
    if (entry !== null) return filesBelow(entry);
    const file = item.getAsFile();
    return file === null ? [] : [{ path: file.name, file }];
  });
  return (await Promise.all(found)).flat();
}

async function filesBelow(entry: FileSystemEntry): Promise<PathFile[]> {
  if (isFile(entry)) {
    const file = await new Promise<File>((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ''), file }];
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: PathFile[] = [];
  for (;;) {
    // A reader gives a hundred at a time, and none at the end.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) =>
      reader.readEntries(resolve, reject),
    );
    if (some.length === 0) return found;
    found.push(...(await Promise.all(some.map(filesBelow))).flat());
  }
}

const isFile = (entry: FileSystemEntry): entry is FileSystemFileEntry => entry.isFile;

export interface GivenFolder {
  readonly name: string;
  readonly files: ReadonlyMap<string, Blob>;
}

const CONFIG = 'config.json';

/** The folder that the topmost config.json lies in. Errors: a sentence where there is none. */
export function modelFiles(given: readonly PathFile[]): GivenFolder {
  const depth = ({ path }: PathFile): number => path.split('/').length;
  const [config] = given
    .filter(({ path }) => path.split('/').at(-1) === CONFIG)
    .toSorted((a, b) => depth(a) - depth(b));
  if (config === undefined) {
    const received =
      given.length === 0
        ? 'nothing'
        : given
            .map(({ file }) => file.name)
            .slice(0, 5)
            .join(', ');
    throw new Error(
      `Expected a model folder with ${CONFIG}, tokenizer.json and model.safetensors, received ${received}.`,
    );
  }
  const above = config.path.slice(0, -CONFIG.length);
  const inside = given.filter(
    ({ path }) => path.startsWith(above) && !path.slice(above.length).includes('/'),
  );
  return {
    name: above.split('/').at(-2) ?? 'model',
    files: new Map(inside.map(({ file }) => [file.name, file])),
  };
}
