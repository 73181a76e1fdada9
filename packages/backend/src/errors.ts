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

/**
 * The error of every SpikeLLM package: `where: expected …, received …; remedy.`
 *
 * @example
 * throw new SpikeError('SHAPE', { where: 'linear_f32', expected: 'x of [N, 64]', received: '[2, 63]' });
 */
export class SpikeError extends Error {
  override readonly name = 'SpikeError';
  readonly code: SpikeErrorCode;

  constructor(code: SpikeErrorCode, { where, expected, received, remedy, cause }: SpikeErrorParts) {
    const advice = remedy === undefined ? '' : `; ${remedy}`;
    super(`${where}: expected ${expected}, received ${received}${advice}.`, { cause });
    this.code = code;
  }
}
