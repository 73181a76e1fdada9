/** What the compiled kernels offer, as native/module.cc exports it. They trust their arguments. */

/** An address in the module's memory; 0 is no address. */
export type Address = number & { readonly address: unique symbol };

/** As the linker calls where the stack of a thread ends. */
export const STACK_POINTER = '__stack_pointer';

export interface Exports {
  readonly [STACK_POINTER]: WebAssembly.Global<'i32'>;
  /** Zero-filled memory; 0 where there is none. */
  allocate(bytes: number): Address | 0;
  /** Grows the memory at once to hold so many bytes more; 0 where it cannot. */
  reserve(bytes: number): number;
  release(address: Address | 0): void;
  /** Where `run` finds 32-bit addresses of operands and 64-bit numbers. */
  operands(): number;
  numbers(): number;
  /** Where it says what went wrong: whether an index was out of range (32 bits, then 32 unused), the index, the limit. */
  fault(): number;
  /** The address of a kernel's name, which a zero ends; 0 after the last kernel. */
  kernelName(kernel: number): number;
  /** Bytes of what a packing kernel writes, from `numbers`. */
  packedBytes(kernel: number): number;
  run(kernel: number): void;
  /** Forgets a run that JavaScript has thrown out of. */
  abandon(): void;
  open(threads: number): void;
  /** Works for the thread that opened the module, until it closes. */
  help(thread: number): void;
  close(): void;
}

/** Thrown through the kernels where memory is at its end. */
export class NoMemory extends Error {}

/** Runs a compiled module on a memory. */
export async function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Promise<Exports> {
  const outOfMemory = (): never => {
    throw new NoMemory();
  };
  const { exports } = await WebAssembly.instantiate(module, { env: { memory, outOfMemory } });
  return exports as unknown as Exports;
}
