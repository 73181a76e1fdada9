import { createReferenceBackend, type Backend } from '@spikellm/backend';
import { note, type Session } from './session.ts';

interface Candidate {
  readonly name: string;
  /** Why `auto` takes it. */
  readonly reason: string;
  load(options: { readonly threads: number | undefined }): Promise<Backend>;
}

/** The backends of this version; `auto` takes the first. */
export const BACKENDS: readonly Candidate[] = [
  {
    name: 'reference',
    reason: 'the only backend in this version',
    load: async () => createReferenceBackend(),
  },
];

export const PLANNED_BACKENDS = ['cpu', 'wasm', 'webgpu'];

export interface BackendOptions {
  /** `auto` or the name of a candidate. */
  readonly backend: string;
  readonly threads?: number;
}

/** The backend that was asked for; what was not asked for is said on stderr. */
export async function openBackend(
  session: Session,
  { backend: wanted, threads }: BackendOptions,
): Promise<Backend> {
  const candidate = BACKENDS.find(({ name }) => name === wanted) ?? BACKENDS[0];
  const backend = await candidate.load({ threads });
  const { device, threads: used } = backend.report;
  if (wanted === 'auto') note(session, `backend ${backend.name}: ${device} (${candidate.reason})`);
  if (threads !== undefined && threads !== used) {
    note(session, `--threads ${threads}: the ${backend.name} backend runs on ${used}`);
  }
  return backend;
}
