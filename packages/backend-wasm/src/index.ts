/**
 * SpikeLLM kernels in WebAssembly, with no native code: in any page and in Node, on SIMD of 128 bits, on one thread or,
 * where memory can be shared, on several.
 *
 * @module
 */
import { createTableBackend, SpikeError, type Backend } from '@spikellm/backend';
import { createNativeDriver } from '@spikellm/native-kernels';
import { loadModule } from './assets.ts';
import { openDevice } from './device.ts';
import { canShareMemory, supportedInstructionSets, type InstructionSet } from './features.ts';
import { Heap } from './heap.ts';
import { MOST_BYTES, noMemory, requestMemory } from './memory.ts';
import { instantiate } from './module.ts';
import { startHelpers } from './pool.ts';

export { supportedInstructionSets, type InstructionSet } from './features.ts';

export interface WasmOptions {
  /**
   * Threads that kernels are spread over, the calling one included; by default as many as the machine runs at once where
   * memory can be shared, else 1.
   */
  readonly threads?: number;
  /** Instruction set; by default the best of this engine. */
  readonly isa?: InstructionSet;
  /** Bytes that the memory shall have from the start, such as those of the model: it then need not grow while it loads. */
  readonly reserve?: number;
}

/** A backend that says how large its memory is. */
export interface WasmBackend extends Backend {
  /** Bytes of the WebAssembly memory, which grows as tensors need it and never shrinks. */
  readonly memoryBytes: number;
}

const MOST_THREADS = 64;

/**
 * A backend on WebAssembly. Kernels are worked off in slices of some milliseconds by the thread that dispatches them and
 * its helpers; a page that must stay smooth meanwhile opens the backend in a worker.
 *
 * Errors: INVALID_ARGUMENT (an option), UNSUPPORTED (no WebAssembly or SIMD; threads where memory cannot be shared; a
 * page whose policy refuses), MISSING (the compiled kernels cannot be had), OUT_OF_MEMORY (`reserve`).
 */
export async function createWasmBackend(options: WasmOptions = {}): Promise<WasmBackend> {
  const isa = chooseInstructionSet(options.isa);
  const wanted = chooseThreads(options.threads);
  const reserved = checkReserve(options.reserve ?? 0);
  // Where no memory can be shared after all, nobody who left the threads open minds having one.
  const shared = wanted > 1 ? requestMemory(true) : undefined;
  const granted =
    shared ?? (wanted === 1 || options.threads === undefined ? requestMemory(false) : undefined);
  if (granted === undefined) throw noMemory();
  const { memory, most } = granted;
  const threads = shared === undefined ? 1 : wanted;
  const module = await loadModule(isa, threads > 1);
  const exports = await instantiate(module, memory);
  const heap = new Heap(exports, memory);
  if (reserved >= most || exports.reserve(reserved) === 0) throw heap.outOfMemory(reserved);
  const stop = threads > 1 ? await startHelpers(exports, module, memory, threads) : () => {};
  const report = { device: describe(isa, threads, most), features: [isa], threads };
  const backend = createTableBackend(createNativeDriver('wasm', openDevice(exports, heap, stop), report));
  return Object.defineProperty(backend as WasmBackend, 'memoryBytes', { get: () => heap.size });
}

function describe(isa: InstructionSet, threads: number, most: number): string {
  const simd = isa === 'simd128' ? 'SIMD' : 'relaxed SIMD';
  const alone = canShareMemory() ? '' : ', since the page is not cross-origin isolated';
  const room = most < MOST_BYTES ? `, with ${most / 2 ** 20} MiB of memory at most` : '';
  return `WebAssembly ${simd} on ${threads === 1 ? `one thread${alone}` : `${threads} threads`}${room}`;
}

function chooseInstructionSet(isa: InstructionSet | undefined): InstructionSet {
  const supported = supportedInstructionSets();
  const wanted = isa ?? supported[0];
  if (wanted !== undefined && supported.includes(wanted)) return wanted;
  throw new SpikeError('UNSUPPORTED', {
    where: 'createWasmBackend',
    expected: isa === undefined ? 'an engine that has WebAssembly with SIMD' : `isa ${isa} in this engine`,
    received: supported.length === 0 ? 'none' : `one that has ${supported.join(' and ')}`,
    remedy: 'use a browser of 2023 or later, or choose another backend',
  });
}

function chooseThreads(wanted: number | undefined): number {
  const shared = canShareMemory();
  const threads = wanted ?? (shared ? Math.min(hardwareThreads(), MOST_THREADS) : 1);
  if (!Number.isInteger(threads) || threads < 1 || threads > MOST_THREADS) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'createWasmBackend',
      expected: `threads to be a whole number from 1 to ${MOST_THREADS}`,
      received: String(threads),
    });
  }
  if (threads === 1 || shared) return threads;
  throw new SpikeError('UNSUPPORTED', {
    where: 'createWasmBackend',
    expected: `memory that ${threads} threads can share`,
    received: 'a page that is not cross-origin isolated',
    remedy:
      'serve it with Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp, or leave threads out',
  });
}

function checkReserve(bytes: number): number {
  if (Number.isSafeInteger(bytes) && bytes >= 0) return bytes;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'createWasmBackend',
    expected: 'reserve to be a whole number of bytes',
    received: String(bytes),
  });
}

function hardwareThreads(): number {
  if (typeof navigator !== 'undefined') return navigator.hardwareConcurrency;
  return globalThis.process.getBuiltinModule('node:os').availableParallelism();
}
