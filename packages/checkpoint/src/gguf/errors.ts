import { SpikeError, type SpikeErrorCode } from '@spikellm/backend';

/** The error of bytes that contradict the format; `where` begins with the file. */
export const corrupt = (
  where: string,
  expected: string,
  received: string,
  remedy = 'the file is damaged or not a GGUF file: download or convert it again',
): SpikeError => problem('CORRUPT_FILE', where, expected, received, remedy);

/** The error of something that the format has and this package has not. */
export const unsupported = (where: string, expected: string, received: string, remedy: string): SpikeError =>
  problem('UNSUPPORTED', where, expected, received, remedy);

/** The error of a key or tensor that should be there. */
export const missing = (where: string, expected: string, remedy: string): SpikeError =>
  problem('MISSING', where, expected, 'none of that name', remedy);

/** The error of parts of a model that contradict each other. */
export const mismatch = (where: string, expected: string, received: string, remedy: string): SpikeError =>
  problem('MISMATCH', where, expected, received, remedy);

export const CUT_SHORT = 'the file may be cut short: copy or download it again';

/** What a file says of itself may be of any length, and a sentence may not. */
const MAX_CHARACTERS = 400;
const short = (text: string): string =>
  text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)}...` : text;

const problem = (
  code: SpikeErrorCode,
  where: string,
  expected: string,
  received: string,
  remedy: string,
): SpikeError => new SpikeError(code, { where: short(where), expected, received: short(received), remedy });
