/** What the driver needs of a place where the kernels of ../native run. */
import type { ElementArray } from '@spikellm/backend';

/** Operands and numbers of a run at most; native/kernels/call.h has the same number of operands. */
export const MOST_OPERANDS = 32;
export const MOST_NUMBERS = 64;

/** Memory and a queue. Storages are valid until they are released, and the work queued before still sees them. */
export interface Device<Storage> {
  /** Zero-filled memory; `lasting` says that it stays, as packed weights do. Errors: OUT_OF_MEMORY. */
  allocate(bytes: number, lasting?: boolean): Storage;
  /** Memory with a copy of `data`. Errors: OUT_OF_MEMORY. */
  upload(data: ElementArray): Storage;
  write(storage: Storage, data: ElementArray): void;
  release(storage: Storage): void;
  /** Queues a run; an absent operand is undefined. Once `signal` is aborted the run is dropped or stopped. */
  run(
    kernel: string,
    operands: readonly (Storage | undefined)[],
    parameters: readonly number[],
    signal?: AbortSignal,
  ): void;
  /** Bytes of what a packing kernel writes. */
  packedBytes(kernel: string, parameters: readonly number[]): number;
  /** Waits for the work queued so far. Errors: what it reported. */
  synchronize(): Promise<void>;
  /** As `synchronize`, and fills `into` with the storage as it is then. */
  read(storage: Storage, into: ElementArray): Promise<void>;
  close(): void;
}
