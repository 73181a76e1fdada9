import { SpikeError } from '@spikellm/backend';
import * as v from 'valibot';
import { isRecord } from '../files.ts';

/** Where a part of a tokenizer stands: the file and the names that lead to it. */
export interface Place {
  readonly path: string;
  readonly name: string;
}

/** A kind of part that is implemented: the fields it may have, and what is made of them. */
export interface Kind<T> {
  readonly fields: v.ObjectEntries;
  readonly build: (fields: never, place: Place) => T;
}

/** A table of what is implemented, by `type`. What is not a row is refused by its name. */
export type Kinds<T> = Readonly<Record<string, Kind<T>>>;

/** A row of a table. A field that is not listed is refused: it would mean something that is not done. */
export const kind = <E extends v.ObjectEntries, T>(
  fields: E,
  build: (fields: v.InferOutput<v.ObjectSchema<E, undefined>>, place: Place) => T,
): Kind<T> => ({ fields, build });

/** Builds a part of tokenizer.json by its row. Errors: UNSUPPORTED for a type, a field or a value that is not implemented. */
export function buildPart<T>(place: Place, kinds: Kinds<T>, value: unknown): T {
  const type = isRecord(value) ? value.type : undefined;
  if (typeof type !== 'string' || !Object.hasOwn(kinds, type)) {
    throw notDone(place, `one of ${Object.keys(kinds).join(', ')}`, JSON.stringify(type ?? value) ?? 'none');
  }
  const { fields, build } = kinds[type];
  const part = { path: place.path, name: `${place.name} ${type}` };
  return build(checked(part, { type: v.string(), ...fields }, value) as never, part);
}

/** An object with these fields and no other. Errors: UNSUPPORTED, by the name of the field. */
export function checked<E extends v.ObjectEntries>(
  place: Place,
  fields: E,
  value: unknown,
): v.InferOutput<v.ObjectSchema<E, undefined>> {
  const parsed = v.safeParse(v.strictObject(fields), value);
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  const field = v.getDotPath(issue) ?? 'fields';
  throw notDone(place, `${field}: ${issue.expected ?? 'another value'}`, issue.received);
}

export const notDone = ({ path, name }: Place, expected: string, received: string): SpikeError =>
  new SpikeError('UNSUPPORTED', {
    where: `${path}: ${name}`,
    expected,
    received: received.slice(0, 200),
    remedy: 'this part of a tokenizer is not implemented, and without it ids would be wrong',
  });

export const FLAG = v.optional(v.boolean());
/** What has no effect on ids: offsets into the text are not kept. */
export const OFFSETS = { trim_offsets: FLAG };
/** A text, or a regular expression of Oniguruma. */
export const PATTERN = v.union([
  v.strictObject({ String: v.string() }),
  v.strictObject({ Regex: v.string() }),
]);
