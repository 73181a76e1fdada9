import { host } from '#host';
import { firstAvailable, type Backend, type Selected } from '@spikellm/backend';
import type { BackendName } from './host.ts';
import { wrong } from './options.ts';

/** The backends that can be named here, the fastest first. */
export const backendNames = (): BackendName[] => host.backends.map(({ name }) => name);

/**
 * Opens a backend by its name, or with `auto` the fastest one that runs everything here: in Node the native kernels, else
 * WebAssembly; in a page WebAssembly. WebGPU is taken by name only. What was passed over comes with its reason.
 *
 * @param threads - of a backend that has them; others leave it out
 * Errors: INVALID_ARGUMENT for a name that is not known; MISSING, UNSUPPORTED or DEVICE_LOST where it does not run here.
 *
 * @example
 * const { backend, passed } = await openBackend('auto');
 */
export async function openBackend(
  name: BackendName | 'auto',
  { threads }: { readonly threads?: number | undefined } = {},
): Promise<Selected> {
  const options = threads === undefined ? {} : { threads };
  if (name === 'auto') {
    const automatic = host.backends.filter((entry) => entry.automatic);
    return firstAvailable(automatic.map((entry) => ({ name: entry.name, open: () => entry.open(options) })));
  }
  const entry = host.backends.find((each) => each.name === name);
  if (entry !== undefined) return { backend: await entry.open(options), passed: [] };
  throw wrong('backend', expected(), name);
}

const expected = (): string => `auto, ${backendNames().join(', ')} or a Backend`;

/** What `backend` of the calls of this package may be. */
export type BackendChoice = Backend | BackendName | 'auto';

/** A backend for one call or model; `release` frees it where it was opened here. */
export interface Chosen extends Selected {
  readonly release: () => void;
}

/** A given backend as it is, else one that is opened here. Errors: as `openBackend`. */
export async function chooseBackend(choice: BackendChoice = 'auto'): Promise<Chosen> {
  if (typeof choice === 'string') {
    const selected = await openBackend(choice);
    return { ...selected, release: () => selected.backend.dispose() };
  }
  if (typeof choice?.dispatch === 'function') return { backend: choice, passed: [], release: () => {} };
  throw wrong('backend', expected(), choice);
}
