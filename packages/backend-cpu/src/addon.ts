/** What the native addon offers, as native/addon.cc registers it. It trusts its arguments. */
import type { ElementArray } from '@spikellm/backend';

/** Instruction sets the kernels are compiled for, the best first. */
export const instructionSets = ['avx512', 'avx2', 'neon', 'scalar'] as const;
export type InstructionSet = (typeof instructionSets)[number];

/** A queue of work and its threads. */
export type Session = object & { readonly session: unique symbol };
/** Memory on the device. */
export type Storage = object & { readonly storage: unique symbol };

/** What went wrong in queued work. */
export interface Fault {
  /** `index`: an index outside 0..limit-1; `memory`: no memory for scratch. */
  readonly kind: 'index' | 'memory';
  readonly kernel: number;
  readonly index: number;
  readonly limit: number;
}

export interface Addon {
  /** Those that this machine runs, the best first. */
  instructionSets(): InstructionSet[];
  /** Kernels are known by their place in this list. */
  kernels(): string[];
  open(instructionSet: InstructionSet, threads: number): Session;
  /** Zero-filled memory; undefined where there is none. */
  allocate(session: Session, bytes: number): Storage | undefined;
  release(storage: Storage): void;
  write(session: Session, storage: Storage, data: ElementArray): void;
  /** Fills `into` with the storage after the work queued so far. */
  read(session: Session, storage: Storage, into: ElementArray): Promise<Fault | undefined>;
  synchronize(session: Session): Promise<Fault | undefined>;
  /** Bytes of what a packing kernel writes. */
  packedBytes(kernel: number, numbers: readonly number[]): number;
  run(
    session: Session,
    kernel: number,
    operands: readonly (Storage | undefined)[],
    numbers: readonly number[],
  ): void;
  close(session: Session): void;
}
