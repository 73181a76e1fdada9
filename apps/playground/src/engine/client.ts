/** The page's side of the worker: what it has open, and what it is doing. */
import { computed, effect, signal, untracked, type ReadonlySignal } from '@preact/signals';
import { proxy, wrap, type Remote } from 'comlink';
import { oneOf, urlSignal } from '../url-state.ts';
import {
  BACKEND_NAMES,
  type BackendChoice,
  type ModelSummary,
  type OnProgress,
  type OpenedBackend,
  type Progress,
} from './contract.ts';
import type { Engine } from './worker.ts';

/** The backend that the reader wants, in the URL of every room. */
export const backendChoice = urlSignal<BackendChoice>(
  'all',
  'backend',
  'auto',
  oneOf('auto', ...BACKEND_NAMES),
);

const opened = signal<OpenedBackend | undefined>(undefined);
const loaded = signal<ModelSummary | undefined>(undefined);
const current = signal<(Progress & { readonly since: number }) | undefined>(undefined);
const failure = signal<string | undefined>(undefined);

/** Undefined until it is open. */
export const backend: ReadonlySignal<OpenedBackend | undefined> = opened;
/** The float model; undefined until it is open. */
export const model: ReadonlySignal<ModelSummary | undefined> = loaded;
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

/**
 * Has the worker do something and shows it as the activity of the page. `onProgress` is for the worker to call.
 * Rejects as the worker does; see `isStopped`.
 */
export async function ask<T>(
  what: string,
  question: (engine: Remote<Engine>, onProgress: OnProgress) => Promise<T>,
): Promise<T> {
  const since = performance.now();
  current.value = { what, done: 0, total: 0, since };
  const onProgress = proxy((progress: Progress): void => {
    current.value = {
      ...progress,
      since: current.peek()?.what === progress.what ? current.peek()!.since : performance.now(),
    };
  });
  try {
    return await question(engine, onProgress);
  } finally {
    current.value = undefined;
  }
}

/** Stops what `ask` began. */
export const stop = (): Promise<void> => engine.stop();

/** Opens the backend that the URL asks for, and another whenever that changes. */
export function startEngine(): void {
  let queue = Promise.resolve();
  effect(() => {
    const choice = backendChoice.value;
    queue = queue.then(() => untracked(() => openChosen(choice)));
  });
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
