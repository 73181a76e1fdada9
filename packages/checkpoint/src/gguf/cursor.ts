import { readAt } from '../files.ts';
import type { OpenFile } from '../store.ts';
import { corrupt, CUT_SHORT, unsupported } from './errors.ts';

/** Bytes that are read from the file at once. */
const WINDOW_BYTES = 2 ** 20;

/** The largest header that is read: as of safetensors. A vocabulary of 262,144 tokens with its merges takes a tenth. */
const MAX_HEADER_BYTES = 100_000_000;

/** Reads a header from its start on. Only a window of it is in memory, and no byte beyond the file is asked for. */
export interface Cursor {
  readonly path: string;
  /** Where the next byte lies in the file. */
  readonly position: number;
  /** Bytes behind the position that are in memory: `take` gives no more. */
  readonly held: number;
  /** Bytes behind the position that a header may still have. */
  readonly left: number;
  /** Brings `bytes` bytes into memory. Errors: CORRUPT_FILE and UNSUPPORTED, of `where`, where there are not so many. */
  fill(bytes: number, where: string): Promise<void>;
  /** The next `bytes` bytes, which must be held; valid until the next `fill`. */
  take(bytes: number): DataView;
}

export function createCursor(path: string, file: OpenFile): Cursor {
  let window = new Uint8Array(0);
  let start = 0; // of the window, in the file
  let at = 0; // in the window
  const limit = Math.min(file.size, MAX_HEADER_BYTES);
  return {
    path,
    get position() {
      return start + at;
    },
    get held() {
      return window.length - at;
    },
    get left() {
      return limit - start - at;
    },
    async fill(bytes, where) {
      if (bytes <= this.held) return;
      if (bytes > file.size - this.position) {
        const rest = `${file.size - this.position} before the file ends`;
        throw corrupt(where, `${bytes} bytes`, rest, CUT_SHORT);
      }
      if (bytes > this.left) {
        const expected = `a header of at most ${MAX_HEADER_BYTES} bytes`;
        throw unsupported(where, expected, 'a longer one', 'convert the model without what makes it so long');
      }
      start = this.position;
      at = 0;
      const wanted = new Uint8Array(Math.max(bytes, Math.min(WINDOW_BYTES, limit - start)));
      const found = await readAt(file, wanted, start);
      window = wanted.subarray(0, found);
      if (found < bytes) throw corrupt(where, `${bytes} bytes`, `${found}`, CUT_SHORT);
    },
    take(bytes) {
      const view = new DataView(window.buffer, window.byteOffset + at, bytes);
      at += bytes;
      return view;
    },
  };
}
