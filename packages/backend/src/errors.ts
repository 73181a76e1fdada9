/** What went wrong, for programs; the message is for people. */
export type SpikeErrorCode =
  | 'INVALID_ARGUMENT' // an option or argument outside its domain
  | 'SHAPE' // a tensor of the wrong shape
  | 'DTYPE' // a tensor of the wrong element type
  | 'DISPOSED' // a tensor, kernel or backend used after dispose()
  | 'UNSUPPORTED' // a kernel, architecture or format version that is not implemented
  | 'CORRUPT_FILE' // a file whose bytes contradict its format
  | 'MISSING' // a file, tensor or setting that should be there
  | 'EXISTS' // an output that would be overwritten
  | 'NOT_FINITE' // NaN or infinity where a number is needed
  | 'MISMATCH' // two things that must agree do not (a resumed run, a config and its tensors)
  | 'OUT_OF_MEMORY'
  | 'DEVICE_LOST';

/** The parts of the one sentence that every error of the project is. */
export interface SpikeErrorParts {
  /** The operation, file or option that complains. */
  readonly where: string;
  readonly expected: string;
  readonly received: string;
  /** What the user can do about it, where that is known. */
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** Characters of a sentence at most; files and arguments have a say in it. */
const MAX_LENGTH = 500;

/**
 * The error of every SpikeLLM package: `where: expected …, received …; remedy.` It is one line of 500 characters at most,
 * whatever text of files and arguments is in it: control characters are escaped, and what is too long loses its middle.
 *
 * @example
 * throw new SpikeError('SHAPE', { where: 'linear_f32', expected: 'x of [N, 64]', received: '[2, 63]' });
 */
export class SpikeError extends Error {
  override readonly name = 'SpikeError';
  readonly code: SpikeErrorCode;

  constructor(code: SpikeErrorCode, { where, expected, received, remedy, cause }: SpikeErrorParts) {
    super(sentence([where, expected, received, remedy ?? '']), { cause });
    this.code = code;
  }
}

function sentence(parts: readonly string[]): string {
  const said = parts.map((part) => printable(shortened(part, MAX_LENGTH)));
  for (let most = MAX_LENGTH; ; most -= 20) {
    const [where, expected, received, remedy] = said.map((part) => shortened(part, most));
    const advice = remedy === '' ? '' : `; ${remedy}`;
    const text = `${where}: expected ${expected}, received ${received}${advice}.`;
    if (text.length <= MAX_LENGTH) return text;
  }
}

/** A text as one line: control characters, line separators and marks that turn its direction are written as escapes. */
export const printable = (text: string): string =>
  text.replaceAll(
    /[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu,
    (character) => ESCAPES[character] ?? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/** A text of `most` characters at most, with its beginning and its end. */
export function shortened(text: string, most: number): string {
  if (text.length <= most) return text;
  const end = Math.floor((most - 1) / 3);
  return `${text.slice(0, most - 1 - end)}…${text.slice(text.length - end)}`;
}
