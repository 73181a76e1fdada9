import { SpikeError } from '@spikellm/backend';

const PAGE_BYTES = 2 ** 16;
/** As scripts/build-wasm.mjs links it. */
const FIRST_BYTES = 2 ** 20;
/** All addresses are positive 32-bit numbers. */
export const MOST_BYTES = 2 ** 31;
/** Below this no model fits. */
const LEAST_BYTES = 2 ** 27;

/** A memory that may grow up to `most` bytes. */
export interface Granted {
  readonly memory: WebAssembly.Memory;
  readonly most: number;
}

/**
 * The largest memory that the engine grants, halved until it does: phones refuse to set aside gigabytes for one that is shared.
 * Undefined where it grants none.
 */
export function requestMemory(shared: boolean): Granted | undefined {
  for (let most = MOST_BYTES; most >= LEAST_BYTES; most /= 2) {
    try {
      const memory = new WebAssembly.Memory({
        initial: FIRST_BYTES / PAGE_BYTES,
        maximum: most / PAGE_BYTES,
        shared,
      });
      return { memory, most };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
    }
  }
  return undefined;
}

export const noMemory = (): SpikeError =>
  new SpikeError('OUT_OF_MEMORY', {
    where: 'createWasmBackend',
    expected: `a memory that may grow to ${LEAST_BYTES / 2 ** 20} MiB or more`,
    received: 'an engine that grants none',
    remedy: 'close other pages, or choose another backend',
  });
