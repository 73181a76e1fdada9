/** What a concrete backend writes: memory and kernels. `createTableBackend` makes a `Backend` of it. */
import type { BackendReport } from './backend.ts';
import type { ElementArray, ElementType } from './elements.ts';
import type { Dims } from './kernel.ts';
import type { KernelName } from './table/index.ts';

/** One run of a kernel, checked: storages by operand name, dims, attributes and scalars by name. */
export interface Call<Storage, Packed = unknown> {
  readonly operands: Readonly<Record<string, Storage>>;
  readonly dims: Dims;
  readonly attributes: object;
  readonly scalars: Readonly<Record<string, number>>;
  /** When it is aborted, the run may be dropped or stopped, and leave anything in what it writes. */
  readonly signal: AbortSignal | undefined;
  /** What `prepare` of the implementation returned. */
  readonly packed: Packed;
}

/** How a driver computes one kernel. */
export interface Implementation<Storage, Packed = unknown> {
  /** Packs the constants, which arrive in host memory or as the storage of a device tensor. */
  prepare?(
    constants: Readonly<Record<string, ElementArray | Storage>>,
    dims: Dims,
    attributes: object,
  ): Packed;
  /** Enqueues the run. */
  run(call: Call<Storage, Packed>): void;
  /** Bytes that `prepare` keeps on the device, and how to give them back. */
  packedBytes?(packed: Packed): number;
  release?(packed: Packed): void;
}

/**
 * Memory and kernels of one device. Everything that arrives has been checked. Work runs in the order of the calls:
 * a `release` or `write` does not disturb runs and reads that were enqueued before it.
 */
export interface Driver<Storage> {
  readonly name: string;
  readonly report: BackendReport;
  readonly kernels: Partial<Record<KernelName, Implementation<Storage>>>;
  /** Zero-filled memory for `length` elements; `length` may be 0. */
  allocate(type: ElementType, length: number): Storage;
  /** Copies `data`, of the storage's type and length; the caller may change it afterwards. */
  write(storage: Storage, data: ElementArray): void;
  synchronize(): Promise<void>;
  /** A copy of the storage as it is after the work enqueued so far. */
  read(storage: Storage, type: ElementType, length: number): Promise<ElementArray>;
  release(storage: Storage): void;
  /** Called once, after every storage and packed kernel has been released. */
  dispose?(): void;
}
