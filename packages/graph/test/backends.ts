/** The backends that these tests can open here. */
import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { afterAll } from 'vitest';

/** A backend, or why there is none here. */
interface Opened {
  readonly backend?: Backend;
  readonly missing?: string;
}

/** A backend of a name, opened at the first call and closed after the tests of the file. */
export interface NamedBackend {
  readonly name: string;
  readonly open: () => Promise<Opened>;
}

const OPENERS: Readonly<Record<string, () => Backend | Promise<Backend>>> = {
  reference: () => createReferenceBackend(),
  cpu: () => createCpuBackend({ threads: 2 }),
  wasm: async () => {
    // Found by the workspace's root: its own tests use this package, which therefore cannot declare it.
    const { createWasmBackend } = await import('@spikellm/backend-wasm');
    return await createWasmBackend({ threads: 1 });
  },
  webgpu: async () => {
    const { createWebGpuBackend } = await import('@spikellm/backend-webgpu');
    return await createWebGpuBackend();
  },
};

/** All of them; to be called once in a test file. */
export function openBackends(): NamedBackend[] {
  const opened: Backend[] = [];
  afterAll(() => {
    for (const backend of opened) backend.dispose();
  });
  return Object.entries(OPENERS).map(([name, create]) => {
    const first = async (): Promise<Opened> => {
      try {
        const backend = await create();
        opened.push(backend);
        return { backend };
      } catch (error) {
        return { missing: `no backend ${name}: ${(error as Error).message}` };
      }
    };
    let found: Promise<Opened> | undefined;
    return { name, open: () => (found ??= first()) };
  });
}
