/** The module's memory as TypeScript uses it: storages, and views that are renewed when the memory has grown. */
import { SpikeError, type ElementArray } from '@spikellm/backend';
import { MOST_NUMBERS, MOST_OPERANDS } from '@spikellm/native-kernels';
import type { Address, Exports } from './module.ts';

/** Memory on the device. It has its address once the work that was queued before it has been done. */
export interface Storage {
  readonly bytes: number;
  address: Address | 0;
}

export class Heap {
  readonly #exports: Exports;
  readonly #memory: WebAssembly.Memory;
  #buffer: ArrayBufferLike | undefined;
  #bytes = new Uint8Array();
  #operands = new Int32Array();
  #parameters = new Float64Array();

  constructor(exports: Exports, memory: WebAssembly.Memory) {
    this.#exports = exports;
    this.#memory = memory;
  }

  /** Views end where the memory did before it last grew; shared memory then has another buffer too. */
  #refresh(): void {
    const { buffer } = this.#memory;
    if (this.#buffer === buffer) return;
    this.#buffer = buffer;
    this.#bytes = new Uint8Array(buffer);
    this.#operands = new Int32Array(buffer, this.#exports.operands(), MOST_OPERANDS);
    this.#parameters = new Float64Array(buffer, this.#exports.numbers(), MOST_NUMBERS);
  }

  get size(): number {
    return this.#memory.buffer.byteLength;
  }

  copyIn({ address }: Storage, data: ElementArray): void {
    this.#refresh();
    this.#bytes.set(bytesOf(data), address);
  }

  copyOut({ address }: Storage, into: ElementArray): void {
    this.#refresh();
    bytesOf(into).set(this.#bytes.subarray(address, address + into.byteLength));
  }

  setNumbers(values: readonly number[]): void {
    this.#refresh();
    for (let i = 0; i < values.length; i++) this.#parameters[i] = values[i];
  }

  setOperands(storages: readonly (Storage | undefined)[]): void {
    this.#refresh();
    for (let i = 0; i < storages.length; i++) this.#operands[i] = storages[i]?.address ?? 0;
  }

  /** Kernels by name; the module knows them by their place in its list. */
  kernelPlaces(): Map<string, number> {
    this.#refresh();
    const places = new Map<string, number>();
    for (let place = 0, at; (at = this.#exports.kernelName(place)) !== 0; place++) {
      places.set(String.fromCharCode(...this.#bytes.subarray(at, this.#bytes.indexOf(0, at))), place);
    }
    return places;
  }

  /** An index that was out of range, and the limit, since the last look. */
  takeFault(): { index: number; limit: number } | undefined {
    const view = new DataView(this.#memory.buffer, this.#exports.fault(), 24);
    if (view.getInt32(0, true) === 0) return undefined;
    view.setInt32(0, 0, true);
    return { index: view.getFloat64(8, true), limit: view.getFloat64(16, true) };
  }

  outOfMemory(bytes: number): SpikeError {
    return new SpikeError('OUT_OF_MEMORY', {
      where: 'backend-wasm',
      expected: 'a model and its caches in 2 GB, the most that WebAssembly memory holds here',
      received: `${bytes} bytes more than the ${this.size} that are in use`,
      remedy: 'use @spikellm/backend-cpu in Node, @spikellm/backend-webgpu in a page, or a smaller model',
    });
  }
}

export const bytesOf = ({ buffer, byteOffset, byteLength }: ElementArray): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);
