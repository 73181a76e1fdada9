import { mkdir, open, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import { fileError, readAt } from './files.ts';

/** A file of equal slots for data that does not fit in memory. Disposing deletes it. */
export interface SpillFile extends AsyncDisposable {
  /** Fills `target`, one slot long. Errors: CORRUPT_FILE where the slot was never written in full. */
  read(slot: number, target: Uint8Array): Promise<void>;
  /** Errors: OUT_OF_MEMORY (the disk is full). */
  write(slot: number, bytes: Uint8Array): Promise<void>;
}

/**
 * Creates the file at `path`, in place of one that an earlier run left there.
 *
 * @param slotBytes length of every slot
 */
export async function createSpillFile(path: string, slotBytes: number): Promise<SpillFile> {
  try {
    await mkdir(dirname(path), { recursive: true });
    const handle = await open(path, 'w+');
    return {
      async read(slot, target) {
        const done = await readAt(handle, target, slot * slotBytes);
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
          for (let done = 0; done < bytes.length;) {
            const { bytesWritten } = await handle.write(
              bytes,
              done,
              bytes.length - done,
              slot * slotBytes + done,
            );
            done += bytesWritten;
          }
        } catch (error) {
          throw fileError(path, error);
        }
      },
      async [Symbol.asyncDispose]() {
        await handle.close();
        await rm(path, { force: true });
      },
    };
  } catch (error) {
    throw fileError(path, error);
  }
}
