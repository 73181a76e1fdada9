import type { Backend } from '@spikellm/backend';
import { measureLimits, type MachineLimits } from '@spikellm/backend-cpu';
import { openBackend as open, type BackendName } from '@spikellm/llm';
import { note, type Session } from './session.ts';

export interface BackendOptions {
  readonly backend: BackendName | 'auto';
  readonly threads?: number;
}

/**
 * The backend that was asked for; what was not asked for is said.
 *
 * @param say - takes those lines in place of stderr
 */
export async function openBackend(
  session: Session,
  { backend: name, threads }: BackendOptions,
  say: (line: string) => void = (line) => note(session, line),
): Promise<Backend> {
  const { backend, passed } = await open(name, { threads });
  for (const { name: other, error } of passed) say(`backend ${other} is not used: ${error.message}`);
  if (name === 'auto') {
    const reason =
      passed.length === 0 ? 'the fastest of this version' : 'the first that this machine can run';
    say(`backend ${backend.name}: ${backend.report.device} (${reason})`);
  }
  if (threads !== undefined && threads !== backend.report.threads) {
    say(`--threads ${threads}: the ${backend.name} backend runs on ${backend.report.threads}`);
  }
  return backend;
}

/** How to measure what the machine can do at most with a backend; undefined where nothing is known. */
export const limitsOf = ({ name, report }: Backend): (() => Promise<MachineLimits>) | undefined =>
  name === 'cpu' ? () => measureLimits({ threads: report.threads }) : undefined;
