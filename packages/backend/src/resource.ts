import type { Driver } from './driver.ts';
import { bytesPerElement, sizeOf, type ElementType } from './elements.ts';
import { SpikeError } from './errors.ts';
import type { DeviceTensor } from './tensor.ts';

/** What is alive on one backend, and the bytes it holds. */
export class Ledger {
  readonly live = new Set<Resource>();
  bytes = 0;

  /** Disposes everything. */
  clear(): void {
    for (const resource of this.live) resource.dispose();
  }
}

/** Something on a backend that lives until it is disposed. A class, because a dispatch makes and frees several. */
export class Resource implements Disposable {
  /** The ledger of the backend that it belongs to. */
  readonly ledger: Ledger;
  readonly bytes: number;
  readonly #release: () => void;

  constructor(ledger: Ledger, bytes: number, release: () => void) {
    this.ledger = ledger;
    this.bytes = bytes;
    this.#release = release;
    ledger.live.add(this);
    ledger.bytes += bytes;
  }

  get disposed(): boolean {
    return !this.ledger.live.has(this);
  }

  dispose(): void {
    if (!this.ledger.live.delete(this)) return;
    this.ledger.bytes -= this.bytes;
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
    ledger: Ledger,
    type: ElementType,
    dims: readonly number[],
    storage: Storage,
    driver: Pick<Driver<Storage>, 'release'>,
  ) {
    super(ledger, sizeOf(dims) * bytesPerElement(type), () => driver.release(storage));
    this.type = type;
    this.dims = [...dims];
    this.storage = storage;
  }
}

/** Throws DISPOSED. */
export function refuseDisposed(where: string, what: string): never {
  throw new SpikeError('DISPOSED', { where, expected: `a live ${what}`, received: `a disposed ${what}` });
}
