/** Calls from plain JavaScript, where no compiler has looked at the arguments. */
import { SpikeError } from '@spikellm/backend';

/** Every option of a type by its name, so that the compiler says where one is missing. */
export type Names<Options> = Readonly<Record<keyof Options, true>>;

/** Errors: INVALID_ARGUMENT for what is no object, and for an option that is not known, with the nearest one that is. */
export function checkOptions<Options>(where: string, options: unknown, names: Names<Options>): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) {
    throw wrong(where, 'options as an object', options);
  }
  const known = Object.keys(names);
  const unknown = Object.keys(options).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  const nearest = nearestOf(unknown, known);
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `options among ${known.join(', ')}`,
    received: unknown,
    ...(nearest !== undefined && { remedy: `the nearest is ${nearest}` }),
  });
}

/** Errors: INVALID_ARGUMENT for anything but an array of numbers. */
export function checkTokenIds(where: string, ids: unknown): asserts ids is readonly number[] {
  if (Array.isArray(ids) && ids.every((id) => typeof id === 'number')) return;
  throw wrong(where, 'token ids, an array of numbers as encode gives it', ids);
}

/** Errors: INVALID_ARGUMENT for anything but a text. */
export function checkText(where: string, text: unknown): asserts text is string {
  if (typeof text !== 'string') throw wrong(where, 'a text', text);
}

export const wrong = (where: string, expected: string, received: unknown): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', { where, expected, received: described(received) });

/** A value of any kind in a few words. */
function described(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'string') return `the text ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'function') return 'a function';
  if (value === null) return 'null';
  if (typeof value !== 'object') return (value as number).toString(); // as other primitives have it too
  const name = (value.constructor as { readonly name?: string } | undefined)?.name ?? 'Object';
  return `${/^[AEIOU]/.test(name) ? 'an' : 'a'} ${name}`;
}

/** The known name that the fewest changed letters lead to, unless most of its letters would change. */
function nearestOf(name: string, known: readonly string[]): string | undefined {
  const ranked = known
    .map((each) => ({ each, distance: editDistance(name.toLowerCase(), each.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance);
  const [best] = ranked;
  return best !== undefined && best.distance <= Math.max(2, best.each.length / 2) ? best.each : undefined;
}

/** Letters to add, drop or change (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1)));
    }
    row = next;
  }
  return row[b.length];
}
