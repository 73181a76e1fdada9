import { printable, shortened, SpikeError } from '@spikellm/backend';
import { CommanderError } from 'commander';
import { createProgram } from './program.ts';
import { Interrupted, note, type Session, type Streams } from './session.ts';

/**
 * Runs one command line.
 *
 * @param argv - arguments without the names of node and the script
 * @param signal - stops the work at the next point from which it can be resumed; `interruptSignal` is that of Ctrl-C
 * @returns the exit code: 0, 1 for an error, 130 for a run that the signal stopped
 */
export async function main(
  argv: readonly string[],
  streams: Streams = process,
  signal: AbortSignal = new AbortController().signal,
): Promise<number> {
  try {
    const given = argv[0] === '-V' ? ['-v'] : argv; // as earlier versions had it
    await createProgram(sessionOf(streams, signal)).parseAsync(given, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError && PRINTED.includes(error.code)) return error.exitCode;
    const stopped = signal.aborted && !(error instanceof Interrupted);
    note(streams, explain(stopped ? signal.reason : error));
    if (argv.includes('--verbose') && error instanceof Error) note(streams, error.stack ?? '');
    return signal.aborted ? 130 : 1;
  }
}

/** Standard input is looked at only by who reads it: a look opens it. */
const sessionOf = (streams: Streams, signal: AbortSignal): Session => ({
  stdout: streams.stdout,
  stderr: streams.stderr,
  get stdin() {
    return streams.stdin;
  },
  signal,
});

/** Not errors, or errors that commander has answered with the help. */
const PRINTED = ['commander.help', 'commander.helpDisplayed', 'commander.version'];

/** Errors that commander answers with the nearest name, where there is one. */
const UNKNOWN = ['commander.unknownCommand', 'commander.unknownOption'];

function explain(error: unknown): string {
  if (error instanceof SpikeError || error instanceof Interrupted) return error.message;
  if (error instanceof CommanderError) {
    const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const sentence = shortened(printable(text), 400);
    const unexplained = UNKNOWN.includes(error.code) && !sentence.includes('Did you mean');
    return unexplained ? `${sentence}; --help lists what there is.` : sentence;
  }
  const reason = printable(error instanceof Error ? error.message : String(error));
  return `unexpected error: ${shortened(reason, 400)} (--verbose shows where).`;
}
