/** Where a run of the command line reads and writes. */
export interface Streams {
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream & { readonly isTTY?: boolean | undefined };
  /** Absent where nothing can be read. */
  readonly stdin?:
    | (AsyncIterable<Uint8Array | string> & { readonly isTTY?: boolean | undefined })
    | undefined;
}

/** What every command gets: its streams, and the signal that Ctrl-C aborts. */
export interface Session extends Streams {
  readonly signal: AbortSignal;
}

/** The reason of that signal; the message is for the user. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';

  constructor(message = 'Interrupted.') {
    super(message);
  }
}

/** A line of the result. */
export const print = ({ stdout }: Streams, line: string): void => void stdout.write(`${line}\n`);

/** A line about the run, kept apart from the result. */
export const note = ({ stderr }: Streams, line: string): void => void stderr.write(`${line}\n`);

/** Lines about a run that may still be refused: a run that is refused says one sentence and nothing else. */
export interface HeldNotes {
  readonly say: (line: string) => void;
  /** Prints what was said, and from now on whatever is said. */
  release(): void;
}

export function holdNotes(streams: Streams): HeldNotes {
  let held: string[] | undefined = [];
  return {
    say: (line) => (held === undefined ? note(streams, line) : void held.push(line)),
    release() {
      for (const line of held ?? []) note(streams, line);
      held = undefined;
    },
  };
}

export const printJson = (streams: Streams, value: unknown): void =>
  print(streams, JSON.stringify(value, undefined, 2));
