/** The page's side of the worker: what it has open, and what it is doing. */
import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals';
import { proxy, wrap, type Remote } from 'comlink';
import { oneOf, urlSignal } from '../url-state.ts';
import {
  VARIANTS,
  type BackendChoice,
  type ModelSource,
  type ModelSummary,
  type EngineEvent,
  type OpenedBackend,
  type Progress,
} from './contract.ts';
import type { Offers } from './offers.ts';
import { request, type SpikingRequest } from './settings.ts';
import type { SpikingSummary } from './spiking.ts';
import type { Engine } from './worker.ts';

/** The backend that the reader wants, in the URL of every room. */
export const backendChoice = urlSignal<BackendChoice>('all', 'backend', 'auto', oneOf('auto', ...VARIANTS));

const opened = signal<OpenedBackend | undefined>(undefined);
const loaded = signal<ModelSummary | undefined>(undefined);
const made = signal<SpikingSummary | undefined>(undefined);
const current = signal<(Progress & { readonly since: number }) | undefined>(undefined);
const failure = signal<string | undefined>(undefined);

/** Undefined until it is open. */
export const backend: ReadonlySignal<OpenedBackend | undefined> = opened;
/** The float model; undefined until it is open. */
export const model: ReadonlySignal<ModelSummary | undefined> = loaded;
/** The spiking model that was made from it last; undefined until one is. */
export const spiking: ReadonlySignal<SpikingSummary | undefined> = made;
/** The work that runs; `since` in milliseconds of `performance.now`. */
export const activity: ReadonlySignal<(Progress & { readonly since: number }) | undefined> = current;
/** Whether work can begin. */
export const ready = computed(
  () => opened.value !== undefined && loaded.value !== undefined && current.value === undefined,
);
/** Why the engine could not be started. */
export const trouble: ReadonlySignal<string | undefined> = failure;

const engine: Remote<Engine> = wrap(new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' }));

/** Work that was stopped rejects with this. */
export const isStopped = (error: unknown): boolean => error instanceof Error && error.name === 'AbortError';

/** The sentence of an error. */
export const sentenceOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Has the worker do something, and shows it as the activity of the page. Rejects as the worker does; see `isStopped`. */
export async function ask<T>(what: string, question: (engine: Remote<Engine>) => Promise<T>): Promise<T> {
  current.value = { what, done: 0, total: 0, since: performance.now() };
  try {
    return await question(engine);
  } finally {
    current.value = undefined;
  }
}

const listeners = new Set<(event: EngineEvent) => void>();
/** Calls `listener` with all that the worker tells. Returns how to end that. */
export function listen(listener: (event: EngineEvent) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

listen((event) => {
  const { value: busy } = current;
  // What arrives late is of no interest any more.
  if (event.kind !== 'progress' || busy === undefined) return;
  const since = busy.what === event.what ? busy.since : performance.now();
  current.value = { what: event.what, done: event.done, total: event.total, since };
});

/** Stops what `ask` began. */
export const stop = (): Promise<void> => engine.stop();

/** What the browser offers, as the worker sees it. */
export const look = (): Promise<Offers> => engine.lookAtBrowser();

/** Opens a model in place of the one before it, and of the spiking one made from that. */
export async function openModel(source: ModelSource): Promise<void> {
  loaded.value = await ask('opening the model', (worker) => worker.openModel(source));
  made.value = undefined;
}

/** Makes the spiking model of the settings in the URL, unless it is there. */
export async function ensureSpiking(wanted: SpikingRequest = request.peek()): Promise<SpikingSummary> {
  const known = made.peek();
  if (known !== undefined && JSON.stringify(known.request) === JSON.stringify(wanted)) return known;
  const summary = await ask('calibrating', (worker) => worker.makeSpiking(wanted));
  made.value = summary;
  return summary;
}

/** Opens the backend that the URL asks for, and another whenever that changes; then the bundled model. */
export function startEngine(): void {
  let queue: Promise<void> = engine.listen(
    proxy((event) => listeners.forEach((listener) => listener(event))),
  );
  effect(() => {
    const choice = backendChoice.value;
    queue = queue.then(() => untracked(() => openChosen(choice)));
  });
  queue = queue.then(() => openModel({ kind: 'bundled' })).catch(fail);
}

async function openChosen(choice: BackendChoice): Promise<void> {
  opened.value = undefined;
  try {
    opened.value = await ask('opening the backend', (worker) => worker.openBackend(choice));
    failure.value = undefined;
  } catch (error) {
    fail(error);
  }
}

function fail(error: unknown): void {
  failure.value = sentenceOf(error);
}
