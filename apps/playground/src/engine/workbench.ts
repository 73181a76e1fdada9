/** What the worker holds: one backend, one float model, one spiking one made from it, and one piece of work at a time. */
import { SpikeError, type Backend } from '@spikellm/backend';
import type { ModelFolder, TextTokenizer } from '@spikellm/checkpoint';
import { loadDecoder, type Decoder } from '@spikellm/graph';
import type { EngineEvent } from './contract.ts';
import { SIDES, type Side } from './reply.ts';

/** A model folder whose files are at hand. */
export interface OpenModel {
  readonly name: string;
  readonly folder: ModelFolder;
  readonly tokenizer: TextTokenizer;
  /** Its files, by their names in the folder. */
  blobs(): Promise<ReadonlyMap<string, Blob>>;
}

export interface Workbench {
  /** Errors: MISSING where none has been set. */
  backend(): Backend;
  /** Takes the place of the backend before it, and of all that was loaded on that. */
  setBackend(backend: Backend): void;
  /** Errors: MISSING where none has been set. */
  model(side: Side): OpenModel;
  has(side: Side): boolean;
  /** Takes the place of a model; another float model ends the spiking one too. */
  setModel(side: Side, model: OpenModel | undefined): void;
  /** The model on the backend, loaded at the first call. */
  decoder(side: Side, signal?: AbortSignal): Promise<Decoder>;
  /**
   * Runs one piece of work, with a signal that `stop` aborts.
   * Errors: INVALID_ARGUMENT while another one runs; rejects with an AbortError when stopped.
   */
  work<T>(name: string, body: (signal: AbortSignal) => Promise<T>): Promise<T>;
  /** Stops the work that runs, if any does. */
  stop(): void;
  /** Tells the page something. */
  tell(event: EngineEvent): void;
  /** Tells the page how far the work is. */
  report(what: string, done: number, total: number): void;
}

/** @param tell - takes what the worker has to tell while it works */
export function createWorkbench(tell: (event: EngineEvent) => void): Workbench {
  let backend: Backend | undefined;
  const models = new Map<Side, OpenModel>();
  const decoders = new Map<Side, Decoder>();
  let running: { readonly name: string; readonly controller: AbortController } | undefined;

  const unload = (side: Side): void => {
    decoders.get(side)?.dispose();
    decoders.delete(side);
  };
  const missing = (what: string): SpikeError =>
    new SpikeError('MISSING', { where: 'playground', expected: what, received: 'none yet' });

  const workbench: Workbench = {
    backend() {
      if (backend === undefined) throw missing('an open backend');
      return backend;
    },
    setBackend(next) {
      for (const side of SIDES) unload(side);
      backend?.dispose();
      backend = next;
    },
    model(side) {
      const model = models.get(side);
      if (model === undefined) throw missing(`a ${side} model`);
      return model;
    },
    has: (side) => models.has(side),
    setModel(side, model) {
      unload(side);
      if (model === undefined) models.delete(side);
      else models.set(side, model);
      if (side === 'float') workbench.setModel('spiking', undefined);
    },
    async decoder(side, signal) {
      const known = decoders.get(side);
      if (known !== undefined) return known;
      const { config, tensors } = workbench.model(side).folder;
      const loaded = await loadDecoder({
        config,
        tensors,
        backend: workbench.backend(),
        ...(signal && { signal }),
      });
      decoders.set(side, loaded);
      return loaded;
    },
    async work(name, body) {
      if (running !== undefined) {
        throw new SpikeError('INVALID_ARGUMENT', {
          where: name,
          expected: 'an engine at rest',
          received: `one that runs: ${running.name}`,
          remedy: 'stop it, or wait for its end',
        });
      }
      const controller = new AbortController();
      running = { name, controller };
      try {
        return await body(controller.signal);
      } finally {
        running = undefined;
      }
    },
    stop() {
      running?.controller.abort(new DOMException('stopped', 'AbortError'));
    },
    tell,
    report: (what, done, total) => tell({ kind: 'progress', what, done, total }),
  };
  return workbench;
}
