/** Settings as values: each with its domain, its default and its name on the command line. */
import { validate, type Schema } from '@spikellm/backend';
import * as v from 'valibot';

export interface SettingField<T> {
  /** On the command line, such as `--epochs <n>`; one without a value is a switch. */
  readonly flag: string;
  readonly description: string;
  /** The domain in words. */
  readonly expected: string;
  readonly default: T;
  readonly schema: Schema<T>;
  /** Of a text of the command line; what is not in the domain is refused by the schema. */
  parse(text: string): unknown;
  /** What used to be said for it: an older flag, and older values by those that took their place. */
  readonly older?: { readonly flag?: string; readonly values?: Readonly<Record<string, string>> };
}

export type Fields<Settings> = { readonly [Name in keyof Settings]-?: SettingField<Settings[Name]> };

interface Described<T> extends Pick<SettingField<T>, 'older'> {
  readonly flag: string;
  readonly description: string;
  readonly default: T;
}

const fieldOf = <T>(
  given: Described<T>,
  expected: string,
  holds: (value: unknown) => boolean,
  parse: (text: string) => unknown,
): SettingField<T> => ({
  ...given,
  expected,
  schema: v.custom<T>((value) => value === given.default || holds(value), expected),
  parse,
});

const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));

/** A number; `T` is undefined too where it may be left out. */
export const numberField = <T extends number | undefined>(
  given: Described<T>,
  expected: string,
  holds: (value: number) => boolean,
): SettingField<T> =>
  fieldOf(given, expected, (value) => typeof value === 'number' && holds(value), toNumber);

export const wholeField = <T extends number | undefined>(
  given: Described<T>,
  least: number,
  most: number,
): SettingField<T> => numberField(given, `a whole number from ${least} to ${most}`, isWhole(least, most));

export const isWhole =
  (least: number, most: number) =>
  (value: number): boolean =>
    Number.isInteger(value) && value >= least && value <= most;

export const shareField = (given: Described<number>): SettingField<number> =>
  numberField(given, 'a number from 0 to 1', (value) => value >= 0 && value <= 1);

/** One of several texts. */
export const choiceField = <T extends string | undefined>(
  given: Described<T>,
  values: readonly T[],
): SettingField<T> =>
  fieldOf(
    given,
    values.length <= 2 ? values.join(' or ') : values.join(', '),
    (value) => values.includes(value as T),
    (text) => text,
  );

/** true or false; on the command line it is turned by being there, or by `--no-` before its name. */
export const switchField = (given: Described<boolean>): SettingField<boolean> =>
  fieldOf(
    given,
    'true or false',
    (value) => typeof value === 'boolean',
    () => !given.default,
  );

/** The defaults of some fields. */
export const defaultsOf = <Settings>(fields: Fields<Settings>): Settings =>
  Object.fromEntries(
    Object.entries<SettingField<unknown>>(fields)
      .map(([name, { default: value }]) => [name, value])
      .filter(([, value]) => value !== undefined),
  ) as Settings;

/** Errors: INVALID_ARGUMENT for the first setting outside its domain, named as the field is. */
export function checkFields<Settings>(fields: Fields<Settings>, settings: Settings): void {
  for (const [name, field] of Object.entries<SettingField<unknown>>(fields)) {
    const value = settings[name as keyof Settings];
    validate(field.schema, value, ({ expected }) => ({ where: name, expected, received: String(value) }));
  }
}
