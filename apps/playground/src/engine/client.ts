/** The page's side of the worker: what it has open, and what it is doing. */
import { batch, computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals';
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
import type { OpenedModel } from './models.ts';
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

let controller = new AbortController();
let questions = 0;

/**
 * Has the worker do something, and shows it as the activity of the page. What is asked within a question is part of its
 * activity. Rejects as the worker does; see `isStopped`.
 *
 * @param question - its signal is aborted by `stop`, for questions of several parts
 */
export async function ask<T>(
  what: string,
  question: (engine: Remote<Engine>, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const { value: outer } = current;
  if (questions++ === 0) controller = new AbortController();
  current.value = { what, done: 0, total: 0, since: performance.now() };
  try {
    return await question(engine, controller.signal);
  } finally {
    current.value = --questions === 0 ? undefined : (outer ?? current.value);
  }
}

/** Asks for what the worker has at hand, which is no work. */
export const askAtRest = <T>(question: (engine: Remote<Engine>) => Promise<T>): Promise<T> =>
  question(engine);

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
export function stop(): Promise<void> {
  controller.abort(new DOMException('stopped', 'AbortError'));
  return engine.stop();
}

/** What the browser offers, as the worker sees it. */
export const look = (): Promise<Offers> => engine.lookAtBrowser();

/**
 * Opens a float model in place of the one before it and of the spiking one made from that, or a SpikeLLM checkpoint of
 * the open model in place of the spiking one.
 */
export async function openModel(source: ModelSource): Promise<void> {
  const found = await ask<OpenedModel>('opening the model', (worker) => worker.openModel(source));
  batch(() => {
    if (found.side === 'float') loaded.value = found.summary;
    made.value = found.side === 'float' ? undefined : found.summary;
  });
}

/**
 * Makes the spiking model of some settings, unless it is there.
 *
 * @param wanted - by default what is there already, if it was opened as a checkpoint, else the settings in the URL
 */
export async function ensureSpiking(wanted?: SpikingRequest): Promise<SpikingSummary> {
  const known = made.peek();
  if (known?.request === null && wanted === undefined) return known;
  const settings = wanted ?? request.peek();
  if (known !== undefined && JSON.stringify(known.request) === JSON.stringify(settings)) return known;
  const summary = await ask('calibrating', (worker) => worker.makeSpiking(settings));
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
