/** What the native addon offers, as native/addon.cc registers it. It trusts its arguments. */
import type { ElementArray } from '@spikellm/backend';
import type { Fault } from '@spikellm/native-kernels';

/** Instruction sets the kernels are compiled for, the best first. */
export const instructionSets = ['avx512', 'avx2', 'neon', 'scalar'] as const;
export type InstructionSet = (typeof instructionSets)[number];

/** A queue of work and its threads. */
export type Session = object & { readonly session: unique symbol };
/** Memory on the device: a number above 0, valid in its session until it is released. */
export type Storage = number & { readonly storage: unique symbol };
/** Says that work is no longer wanted. */
export type Flag = object & { readonly flag: unique symbol };

export interface Addon {
  /** Those that this machine runs, the best first. */
  instructionSets(): InstructionSet[];
  /** Kernels are known by their place in this list. */
  kernels(): string[];
  /** `operands` and `numbers` are where `run` finds its arguments; they must live as long as the session. */
  open(
    instructionSet: InstructionSet,
    threads: number,
    operands: Int32Array,
    parameters: Float64Array,
  ): Session;
  /** Zero-filled memory; 0 where there is none. What stays, such as packed weights, lies side by side on large pages. */
  allocate(session: Session, bytes: number, lasting: boolean): Storage | 0;
  release(session: Session, storage: Storage): void;
  write(session: Session, storage: Storage, data: ElementArray): void;
  /** Fills `into` with the storage after the work queued so far. */
  read(session: Session, storage: Storage, into: ElementArray): Promise<Fault | undefined>;
  synchronize(session: Session): Promise<Fault | undefined>;
  /** Bytes of what a packing kernel writes. */
  packedBytes(kernel: number, parameters: readonly number[]): number;
  /** Queues a run with the first operands (storages, 0 for one that is absent) and numbers of the session's arrays. */
  run(session: Session, kernel: number, operandCount: number, numberCount: number, aborted?: Flag): void;
  createFlag(): Flag;
  /** Drops the queued runs that were given this flag, and stops a running one. */
  raise(flag: Flag): void;
  close(session: Session): void;
}
