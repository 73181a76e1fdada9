import { SpikeError } from '@spikellm/backend';
import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { Interrupted, note, type Streams } from './session.ts';

/**
 * Runs one command line. Ctrl-C stops the work at the next point from which it can be resumed; a second one kills.
 *
 * @param argv - arguments without the names of node and the script
 * @returns the exit code: 0, 1 for an error, 130 for Ctrl-C
 */
export async function main(argv: readonly string[], streams: Streams = process): Promise<number> {
  const controller = new AbortController();
  const interrupt = (): void => controller.abort(new Interrupted());
  process.once('SIGINT', interrupt);
  try {
    await createProgram({ ...streams, signal: controller.signal }).parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && PRINTED.includes(error.code)) return error.exitCode;
    const stopped = controller.signal.aborted && !(error instanceof Interrupted);
    note(streams, explain(stopped ? controller.signal.reason : error));
    if (argv.includes('--verbose') && error instanceof Error) note(streams, error.stack ?? '');
    return controller.signal.aborted ? 130 : 1;
  } finally {
    process.off('SIGINT', interrupt);
  }
}

/** Not errors, or errors that commander has answered with the help. */
const PRINTED = ['commander.help', 'commander.helpDisplayed', 'commander.version'];

/** Errors that commander answers with the nearest name, where there is one. */
const UNKNOWN = ['commander.unknownCommand', 'commander.unknownOption'];

function explain(error: unknown): string {
  if (error instanceof SpikeError || error instanceof Interrupted) return error.message;
  if (error instanceof CommanderError) {
    const sentence = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const unexplained = UNKNOWN.includes(error.code) && !sentence.includes('Did you mean');
    return unexplained ? `${sentence}; --help lists what there is.` : sentence;
  }
  const reason = error instanceof Error ? error.message : String(error);
  return `unexpected error: ${reason} (--verbose shows where).`;
}
