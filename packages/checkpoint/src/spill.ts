import { host } from '#host';
import { SpikeError } from '@spikellm/backend';
import { fileError, readAt } from './files.ts';
import type { FilesOption } from './store.ts';

/** A file of equal slots for data that does not fit in memory. Disposing deletes it. */
export interface SpillFile extends AsyncDisposable {
  /** Fills `target`, one slot long. Errors: CORRUPT_FILE where the slot was never written in full. */
  read(slot: number, target: Uint8Array): Promise<void>;
  /** Errors: OUT_OF_MEMORY (the disk is full). */
  write(slot: number, bytes: Uint8Array): Promise<void>;
}

export interface SpillOptions extends FilesOption {
  /** Where the file lies; made where it is missing. */
  readonly folder: string;
  readonly name: string;
  /** Length of every slot. */
  readonly slotBytes: number;
}

/** Creates the file, in place of one that an earlier run left there. */
export async function createSpillFile({
  folder,
  name,
  slotBytes,
  files = host.files(),
}: SpillOptions): Promise<SpillFile> {
  const path = files.join(folder, name);
  try {
    await files.makeFolder(folder);
    const file = await files.create(path);
    return {
      async read(slot, target) {
        const done = await readAt(file, target, slot * slotBytes);
        if (done === slotBytes) return;
        throw new SpikeError('CORRUPT_FILE', {
          where: path,
          expected: `${slotBytes} bytes of slot ${slot}`,
          received: String(done),
          remedy: 'resume the run',
        });
      },
      async write(slot, bytes) {
        try {
          await file.write(bytes, slot * slotBytes);
        } catch (error) {
          throw fileError(path, error);
        }
      },
      async [Symbol.asyncDispose]() {
        await file.close();
        await files.remove(path);
      },
    };
  } catch (error) {
    throw fileError(path, error);
  }
}
