/** The backends of a browser, and which one is taken. */
import { createReferenceBackend, firstAvailable, type Backend } from '@spikellm/backend';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import { BACKEND_NAMES, type BackendChoice, type BackendName, type OpenedBackend } from './contract.ts';
import type { Workbench } from './workbench.ts';

const OPEN: Record<BackendName, () => Backend | Promise<Backend>> = {
  wasm: () => createWasmBackend(),
  webgpu: () => createWebGpuBackend(),
  reference: () => createReferenceBackend(),
};

/** WebGPU does not train and knows no rotation, so that it is taken by name only. */
const AUTOMATIC = ['wasm', 'reference'] as const satisfies readonly BackendName[];

export const backendsOf = (workbench: Workbench) => ({
  /** Opens a backend in place of the one before it. Errors: MISSING, UNSUPPORTED, and those of `Workbench.work`. */
  openBackend: (choice: BackendChoice): Promise<OpenedBackend> =>
    workbench.work('opening a backend', async () => {
      const names = choice === 'auto' ? AUTOMATIC : [choice];
      const { backend, passed } = await firstAvailable(names.map((name) => ({ name, open: OPEN[name] })));
      workbench.setBackend(backend);
      const name = BACKEND_NAMES.find((known) => known === backend.name)!;
      const why = passed.map(({ name: other, error }) => `${other} is not used: ${error.message}`).join(' ');
      const asked = choice === 'auto' ? 'the first that runs everything here' : 'chosen by hand';
      return { name, report: backend.report, reason: why === '' ? asked : why };
    }),
});
