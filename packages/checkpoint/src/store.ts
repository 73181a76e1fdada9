/** What is at a path. */
export interface FileStat {
  readonly isFolder: boolean;
  /** Bytes of a file. */
  readonly size: number;
}

/** A file that is open for reading. */
export interface OpenFile {
  readonly size: number;
  /** Fills `target` from `position` on as far as it can at once; gives the number of bytes, 0 where the file ends. */
  read(target: Uint8Array, position: number): Promise<number>;
  close(): Promise<void>;
}

/** A file that is being written. What it holds may be seen by others only after `close`. */
export interface WritableFile extends OpenFile {
  /** Writes all bytes; a gap before `position` is zeros. */
  write(bytes: Uint8Array, position: number): Promise<void>;
  /** Makes durable what was written. */
  flush(): Promise<void>;
}

/**
 * Where files lie: a disk, memory, the private files of a web origin. A store is a value that is passed in; its paths mean
 * nothing to another one. Whatever fails rejects, with a `SpikeError` or with the error of the system below.
 */
export interface FileStore {
  join(folder: string, ...names: string[]): string;
  dirname(path: string): string;
  /** The whole path that a short one stands for. */
  resolve(path: string): string;
  /** Whether a name that came with a file stays in that file's folder; the path as written decides. */
  isInside(folder: string, name: string): boolean;
  /** Undefined where there is nothing. */
  stat(path: string): Promise<FileStat | undefined>;
  /** The names in a folder. */
  list(folder: string): Promise<string[]>;
  open(path: string): Promise<OpenFile>;
  /** A file in a folder that exists, empty or, with `keep`, with what it has. */
  create(path: string, options?: { readonly keep?: boolean }): Promise<WritableFile>;
  /** With the folders above it. */
  makeFolder(path: string): Promise<void>;
  /**
   * Gives a closed file or a folder another name, at once and durably. A file takes the place of one of that name; for a
   * folder the name must be free.
   */
  move(from: string, to: string): Promise<void>;
  /** Removes a file, or a folder with all in it; nothing where there is none. */
  remove(path: string): Promise<void>;
  /** Gives a file a second name, where the store has links. */
  link?(target: string, path: string): Promise<void>;
  /** Bytes that may still be written, where the store knows. */
  room?(): Promise<number>;
}

/** Where a function that takes paths finds them. */
export interface FilesOption {
  /** Default: the disk in Node; in a browser there is none. */
  readonly files?: FileStore;
}
