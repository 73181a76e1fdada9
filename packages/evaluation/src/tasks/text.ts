/** White space as Python has it, which the texts of these tasks are cut by. */
const SPACE = String.raw`[\t-\r\u001c- \u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+`;
const BEFORE = new RegExp(`^${SPACE}`, 'u');
const AFTER = new RegExp(`${SPACE}$`, 'u');

/** Python's `rstrip`. */
export const withoutSpaceAfter = (text: string): string => text.replace(AFTER, '');

/** Python's `strip`. */
export const withoutSpaceAround = (text: string): string => withoutSpaceAfter(text.replace(BEFORE, ''));

/** Unicode code points, Python's `len`. */
export const codePoints = (text: string): number => Array.from(text).length;
