/** A closer look at a text that has been spoken: the spikes of one token, and what the whole of it costs. */
import type { WasmBackend } from '@spikellm/backend-wasm';
import {
  countOperations,
  tokenSpikes,
  type EnergyTable,
  type OperationReport,
  type TokenSpikes,
} from '@spikellm/evaluation';
import type { Side } from './reply.ts';
import type { Workbench } from './workbench.ts';

/** Bytes that the worker holds. */
export interface EngineMemory {
  /** Of live tensors and prepared kernels on the backend. */
  readonly liveBytes: number;
  /** Of the WebAssembly memory, which grows and never shrinks; undefined on other backends. */
  readonly wasmBytes: number | undefined;
}

export const inspectOf = (workbench: Workbench) => ({
  /** The spikes that the spiking model sends for the last of these tokens. Errors: as `tokenSpikes`. */
  spikesOf: (ids: readonly number[]): Promise<TokenSpikes[]> =>
    workbench.work('reading spikes', async (signal) => {
      const { tensors } = workbench.model('spiking').folder;
      return tokenSpikes(await workbench.decoder('spiking', signal), ids, { tensors, signal });
    }),

  /** What a token of this text costs one of the models, as a mean over the text. Errors: as `countOperations`. */
  operationsOf: (side: Side, ids: readonly number[], energy: EnergyTable): Promise<OperationReport> =>
    workbench.work('counting operations', async (signal) => {
      const { config, tensors } = workbench.model(side).folder;
      const decoder = await workbench.decoder(side, signal);
      return countOperations(decoder, ids, { config, tensors, window: ids.length, energy, signal });
    }),

  memory(): EngineMemory {
    const backend = workbench.backend();
    const { memoryBytes } = backend as Partial<WasmBackend>;
    return { liveBytes: backend.liveBytes, wasmBytes: memoryBytes };
  },
});
