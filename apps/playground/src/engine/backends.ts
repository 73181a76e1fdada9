/** The backends of a browser: what it offers, which one is taken, and whether they agree. */
import { createReferenceBackend, firstAvailable, type Backend } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import type { BackendChoice, OpenedBackend, Variant } from './contract.ts';
import type { Workbench } from './workbench.ts';

const OPEN: Record<Variant, () => Backend | Promise<Backend>> = {
  wasm: () => createWasmBackend(),
  'wasm-one-thread': () => createWasmBackend({ threads: 1 }),
  'wasm-simd128': () => createWasmBackend({ isa: 'simd128', threads: 1 }),
  webgpu: () => createWebGpuBackend(),
  reference: () => createReferenceBackend(),
};

/** Opens a backend that the caller disposes. Errors: MISSING, UNSUPPORTED where this browser has it not. */
export const openVariant = async (variant: Variant): Promise<Backend> => OPEN[variant]();

/** WebGPU does not train and knows no rotation, so that it is taken by name only. */
const AUTOMATIC: readonly Variant[] = ['wasm', 'reference'];

export const backendsOf = (workbench: Workbench) => ({
  /** Opens a backend in place of the one before it. Errors: MISSING, UNSUPPORTED, and those of `Workbench.work`. */
  openBackend: (choice: BackendChoice): Promise<OpenedBackend> =>
    workbench.work('opening a backend', async () => {
      const names = choice === 'auto' ? AUTOMATIC : [choice];
      const { backend, passed } = await firstAvailable(
        names.map((name) => ({ name, open: () => openVariant(name) })),
      );
      workbench.setBackend(backend);
      const why = passed.map(({ name, error }) => `${name} is not used: ${error.message}`).join(' ');
      const asked = choice === 'auto' ? 'the first that runs everything here' : 'chosen by hand';
      return {
        variant: names[passed.length],
        report: backend.report,
        reason: why === '' ? asked : why,
      };
    }),
});
