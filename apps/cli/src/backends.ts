import { createReferenceBackend, firstAvailable, type Backend } from '@spikellm/backend';
import { createCpuBackend, measureLimits, type MachineLimits } from '@spikellm/backend-cpu';
import { createWasmBackend } from '@spikellm/backend-wasm';
import { createWebGpuBackend } from '@spikellm/backend-webgpu';
import { note, type Session } from './session.ts';

interface Candidate {
  readonly name: string;
  /** Errors: MISSING or UNSUPPORTED where this machine cannot run it. */
  readonly load: (options: { readonly threads?: number }) => Backend | Promise<Backend>;
  /** What the machine can do at most on so many threads; absent where nothing is known. */
  readonly limits?: (options: { readonly threads: number }) => Promise<MachineLimits>;
}

/**
 * The backends of this version; `auto` takes the first that this machine can run. WebGPU stands last, so that it is taken
 * by name only: it does not train, and whether it is faster depends on the GPU.
 */
export const BACKENDS: readonly Candidate[] = [
  { name: 'cpu', load: createCpuBackend, limits: measureLimits },
  { name: 'wasm', load: createWasmBackend },
  { name: 'reference', load: createReferenceBackend },
  { name: 'webgpu', load: () => createWebGpuBackend() },
];

export interface BackendOptions {
  /** `auto` or the name of a candidate. */
  readonly backend: string;
  readonly threads?: number;
}

/** The backend that was asked for; what was not asked for is said on stderr. */
export async function openBackend(session: Session, options: BackendOptions): Promise<Backend> {
  const backend = await (options.backend === 'auto' ? automatic(session, options) : named(options));
  const { threads } = options;
  if (threads !== undefined && threads !== backend.report.threads) {
    note(session, `--threads ${threads}: the ${backend.name} backend runs on ${backend.report.threads}`);
  }
  return backend;
}

/** How to measure what the machine can do at most with a backend; undefined where nothing is known. */
export function limitsOf({ name, report }: Backend): (() => Promise<MachineLimits>) | undefined {
  const { limits } = BACKENDS.find((candidate) => candidate.name === name)!;
  return limits && (() => limits({ threads: report.threads }));
}

const threadsOf = ({ threads }: BackendOptions) => (threads === undefined ? {} : { threads });

const named = (options: BackendOptions): Backend | Promise<Backend> =>
  BACKENDS.find(({ name }) => name === options.backend)!.load(threadsOf(options));

async function automatic(session: Session, options: BackendOptions): Promise<Backend> {
  const { backend, passed } = await firstAvailable(
    BACKENDS.map(({ name, load }) => ({ name, open: () => load(threadsOf(options)) })),
  );
  for (const { name, error } of passed) note(session, `backend ${name} is not used: ${error.message}`);
  const reason = passed.length === 0 ? 'the fastest of this version' : 'the first that this machine can run';
  note(session, `backend ${backend.name}: ${backend.report.device} (${reason})`);
  return backend;
}
