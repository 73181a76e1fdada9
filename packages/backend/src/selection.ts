/** Which backend to take: an order of wishes, and a report of why the first ones were not granted. */
import type { Backend } from './backend.ts';
import { SpikeError, type SpikeErrorCode } from './errors.ts';

/** A backend that may or may not run here. */
export interface BackendCandidate {
  readonly name: string;
  /** Errors: MISSING, UNSUPPORTED or DEVICE_LOST where this machine or page cannot run it. */
  readonly open: () => Backend | Promise<Backend>;
}

/** The backend that was taken, and those that were tried before it. */
export interface Selected {
  readonly backend: Backend;
  /** In the order in which they were tried. */
  readonly passed: readonly { readonly name: string; readonly error: SpikeError }[];
}

const CANNOT_RUN: readonly SpikeErrorCode[] = ['MISSING', 'UNSUPPORTED', 'DEVICE_LOST'];

/**
 * The first of the candidates that runs here. Only those before it are opened, and what they said is returned, so that
 * a caller can show it: a backend is never replaced in silence.
 *
 * Errors: MISSING where none of them runs, with what each of them said; any other error of a candidate is a mistake, and
 * comes as it is.
 *
 * @example
 * const { backend, passed } = await firstAvailable([
 *   { name: 'wasm', open: createWasmBackend },
 *   { name: 'reference', open: createReferenceBackend },
 * ]);
 * for (const { name, error } of passed) console.warn(`${name} is not used: ${error.message}`);
 */
export async function firstAvailable(candidates: readonly BackendCandidate[]): Promise<Selected> {
  const passed: { name: string; error: SpikeError }[] = [];
  for (const { name, open } of candidates) {
    try {
      return { backend: await open(), passed };
    } catch (error) {
      if (!(error instanceof SpikeError && CANNOT_RUN.includes(error.code))) throw error;
      passed.push({ name, error });
    }
  }
  throw new SpikeError('MISSING', {
    where: 'firstAvailable',
    expected: 'a backend that runs here',
    received: passed.map(({ name, error }) => `${name} (${error.message})`).join(' and ') || 'no candidates',
    remedy: 'add createReferenceBackend as the last one, it runs everywhere',
    cause: passed.at(-1)?.error,
  });
}
