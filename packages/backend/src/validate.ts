/**
 * Values from outside - a file, an option, an argument - held against a schema. A schema is any that follows the standard
 * interface of validation libraries (https://standardschema.dev), so this package depends on none of them.
 */
import { SpikeError, type SpikeErrorCode, type SpikeErrorParts } from './errors.ts';

interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}
type Result<T> = { readonly value: T; readonly issues?: undefined } | { readonly issues: readonly Issue[] };

/** A schema whose messages say what is expected of the value, such as `to be a whole number`. */
export interface Schema<T> {
  readonly '~standard': {
    readonly validate: (value: unknown) => Result<T> | Promise<Result<T>>;
  };
}

/** What is wrong with a value, in the words of an error. */
export interface Mismatch {
  /** The path of the field, such as `weights.bits`; empty for the value itself. */
  readonly field: string;
  readonly expected: string;
  readonly received: string;
}

/**
 * The value as the schema reads it. Errors: `code`, for the first field that is not as the schema has it.
 *
 * @param sentence - makes the parts of the error of what is wrong
 */
export function validate<T>(
  schema: Schema<T>,
  value: unknown,
  sentence: (mismatch: Mismatch) => SpikeErrorParts,
  code: SpikeErrorCode = 'INVALID_ARGUMENT',
): T {
  const result = schema['~standard'].validate(value);
  if (result instanceof Promise) throw new Error('internal: a schema that waits');
  if (result.issues === undefined) return result.value;
  const [{ message, path = [] }] = result.issues;
  const keys = path.map((item) => (typeof item === 'object' ? item.key : item));
  const found = keys.reduce<unknown>((at, key) => (at as Record<PropertyKey, unknown> | null)?.[key], value);
  throw new SpikeError(
    code,
    sentence({ field: keys.map(String).join('.'), expected: message, received: shown(found) }),
  );
}

const LONGEST = 120;

/** A value as an error shows it: JSON of a bounded length; `nothing` for what is absent. */
export function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}...` : text;
}
