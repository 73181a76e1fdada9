import { createReferenceBackend, SpikeError, type Backend } from '@spikellm/backend';
import { createCpuBackend, measureLimits, type MachineLimits } from '@spikellm/backend-cpu';
import { note, type Session } from './session.ts';

interface Candidate {
  readonly name: string;
  /** Errors: MISSING or UNSUPPORTED where this machine cannot run it. */
  load(options: { readonly threads?: number }): Backend;
  /** What the machine can do at most on so many threads; absent where nothing is known. */
  readonly limits?: (options: { readonly threads: number }) => Promise<MachineLimits>;
}

/** The backends of this version; `auto` takes the first that this machine can run. */
export const BACKENDS: readonly Candidate[] = [
  { name: 'cpu', load: createCpuBackend, limits: measureLimits },
  { name: 'reference', load: createReferenceBackend },
];

export const PLANNED_BACKENDS = ['wasm', 'webgpu'];

export interface BackendOptions {
  /** `auto` or the name of a candidate. */
  readonly backend: string;
  readonly threads?: number;
}

/** The backend that was asked for; what was not asked for is said on stderr. */
export function openBackend(session: Session, options: BackendOptions): Backend {
  const backend = options.backend === 'auto' ? firstAvailable(session, options) : named(options);
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

const named = (options: BackendOptions): Backend =>
  BACKENDS.find(({ name }) => name === options.backend)!.load(threadsOf(options));

function firstAvailable(session: Session, options: BackendOptions): Backend {
  for (const [index, candidate] of BACKENDS.entries()) {
    try {
      const backend = candidate.load(threadsOf(options));
      const reason = index === 0 ? 'the fastest of this version' : 'the first that this machine can run';
      note(session, `backend ${candidate.name}: ${backend.report.device} (${reason})`);
      return backend;
    } catch (error) {
      const passed = error instanceof SpikeError && ['MISSING', 'UNSUPPORTED'].includes(error.code);
      if (!passed || index === BACKENDS.length - 1) throw error;
      note(session, `backend ${candidate.name} is not used: ${error.message}`);
    }
  }
  throw new Error('internal: no backends');
}
