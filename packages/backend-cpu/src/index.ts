/**
 * SpikeLLM kernels in C++ for the CPU: AVX-512 VNNI, AVX2, NEON or plain C++, picked at run time, on all cores.
 *
 * @module
 */
import { availableParallelism } from 'node:os';
import { createTableBackend, SpikeError, type Backend } from '@spikellm/backend';
import { createNativeDriver } from '@spikellm/native-kernels';
import { instructionSets, type Addon, type InstructionSet } from './addon.ts';
import { openDevice } from './device.ts';
import { probe, type MachineLimits } from './limits.ts';
import { loadAddon } from './loader.ts';

export type { InstructionSet } from './addon.ts';
export type { MachineLimits } from './limits.ts';

export interface CpuOptions {
  /** Threads that kernels are spread over; by default as many as the machine runs at once. */
  readonly threads?: number;
  /** Instruction set; by default what the environment variable SPIKELLM_ISA says, else the best of this machine. */
  readonly isa?: InstructionSet;
}

const DEVICES: Readonly<Record<InstructionSet, string>> = {
  avx512: 'AVX-512 VNNI',
  avx2: 'AVX2',
  neon: 'NEON with dot products',
  scalar: 'plain C++',
};

/**
 * A backend on the CPU. Kernels run off the main thread; the event loop stays free.
 *
 * Errors: INVALID_ARGUMENT (threads, an unknown instruction set), UNSUPPORTED (an instruction set that this machine
 * lacks), MISSING (no native addon: the message says what was tried and what helps).
 */
export function createCpuBackend(options: CpuOptions = {}): Backend {
  const { addon, chosen, threads } = chooseMachine('createCpuBackend', options);
  const device = `${DEVICES[chosen]} on ${threads} ${threads === 1 ? 'thread' : 'threads'}`;
  const report = { device, features: [chosen], threads };
  return createTableBackend(createNativeDriver('cpu', openDevice(addon, chosen, threads), report));
}

/**
 * The instruction sets of this machine that the kernels are compiled for, the best first; `scalar` is always among them.
 *
 * Errors: MISSING (no native addon).
 */
export const supportedInstructionSets = (): InstructionSet[] => loadAddon().instructionSets();

/**
 * What this machine can do at most, by probes on the threads and instruction set that a backend of the same options has:
 * the least time of a few short runs of each. Takes about two seconds and 256 MB of memory for that long.
 *
 * Errors: as `createCpuBackend`, and OUT_OF_MEMORY.
 */
export async function measureLimits(options: CpuOptions = {}): Promise<MachineLimits> {
  const { addon, chosen, threads } = chooseMachine('measureLimits', options);
  return probe(addon, chosen, threads);
}

/** The addon, and what is to run on. */
function chooseMachine(where: string, { threads = availableParallelism(), isa }: CpuOptions) {
  if (!Number.isInteger(threads) || threads < 1 || threads > 1024) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where,
      expected: 'threads to be a whole number from 1 to 1024',
      received: String(threads),
    });
  }
  const addon = loadAddon();
  return { addon, threads, chosen: chooseInstructionSet(addon, where, isa) };
}

function chooseInstructionSet(addon: Addon, caller: string, isa: InstructionSet | undefined): InstructionSet {
  const supported = addon.instructionSets();
  const where = isa === undefined ? 'SPIKELLM_ISA' : `${caller}, isa`;
  const wanted = isa ?? (process.env.SPIKELLM_ISA || supported[0]);
  const known = instructionSets.find((name) => name === wanted);
  if (known !== undefined && supported.includes(known)) return known;
  throw new SpikeError(known === undefined ? 'INVALID_ARGUMENT' : 'UNSUPPORTED', {
    where,
    expected: `an instruction set of this machine (${supported.join(', ')})`,
    received: wanted,
  });
}
