import type { Driver } from './driver.ts';
import { bytesPerElement, sizeOf, type ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';
import type { DeviceTensor } from './tensor.ts';

/** What is alive on one backend, and the bytes it holds. */
export class ResourceTracker {
  readonly live = new Set<Resource>();
  bytes = 0;

  /** Disposes everything. */
  clear(): void {
    for (const resource of this.live) resource.dispose();
  }
}

/** Something on a backend that lives until it is disposed. A class, because a dispatch makes and frees several. */
export class Resource implements Disposable {
  /** The tracker of the backend that it belongs to. */
  readonly tracker: ResourceTracker;
  readonly bytes: number;
  readonly #release: () => void;

  constructor(tracker: ResourceTracker, bytes: number, release: () => void) {
    this.tracker = tracker;
    this.bytes = bytes;
    this.#release = release;
    tracker.live.add(this);
    tracker.bytes += bytes;
  }

  get disposed(): boolean {
    return !this.tracker.live.has(this);
  }

  dispose(): void {
    if (!this.tracker.live.delete(this)) return;
    this.tracker.bytes -= this.bytes;
    this.#release();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** A tensor with a driver's memory behind it. */
export class StoredTensor<Storage> extends Resource implements DeviceTensor {
  readonly type: ElementType;
  readonly dims: readonly number[];
  readonly storage: Storage;

  constructor(
    tracker: ResourceTracker,
    type: ElementType,
    dims: readonly number[],
    storage: Storage,
    driver: Pick<Driver<Storage>, 'release'>,
  ) {
    super(tracker, sizeOf(dims) * bytesPerElement(type), () => driver.release(storage));
    this.type = type;
    this.dims = [...dims];
    this.storage = storage;
  }
}

/** Throws DISPOSED. */
export function refuseDisposed(where: string, what: string): never {
  throw new SpikeError('DISPOSED', { where, expected: `a live ${what}`, received: `a disposed ${what}` });
}
