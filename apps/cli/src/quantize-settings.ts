/** The settings of a quantised model as options of the command line: one for each field, of all pipelines. */
import { SpikeError, validate } from '@spikellm/backend';
import {
  COMMON_FIELDS,
  DEFAULT_SETTINGS,
  PIPELINES,
  type CommonSettings,
  type QuantizeSettings,
  type SettingField,
} from '@spikellm/calibration';
import { Option, type Command } from 'commander';

/** Values by the names that commander gives options. */
export type OptionValues = Readonly<Record<string, unknown>>;

interface Owned {
  /** Name of the setting. */
  readonly name: string;
  readonly field: SettingField<unknown>;
  /** The pipeline whose setting it is; absent for those of all. */
  readonly pipeline?: string;
}

const fieldsOf = (fields: unknown, pipeline?: string): Owned[] =>
  Object.entries(fields as Record<string, SettingField<unknown>>).map(([name, field]) => ({
    name,
    field,
    ...(pipeline !== undefined && { pipeline }),
  }));
const COMMON = fieldsOf(COMMON_FIELDS);
const OWN = PIPELINES.flatMap(({ name, fields }) => fieldsOf(fields, name));

const PIPELINE_FLAG = '--pipeline <name>';
const flagName = (flags: string): string => /--[\w-]+/.exec(flags)![0];
const optionName = (flags: string): string => new Option(flags).attributeName();

/** What somebody typed in words that have others now, by the command. */
const older = new WeakMap<Command, Set<string>>();

/** A line for each older word that was typed, which names the new one. */
export const olderWords = (command: Command): string[] => [...(older.get(command) ?? [])];

/** Adds the option of a field, held against its domain as soon as it is read, and its older spelling. */
function addField(command: Command, { field, pipeline }: Owned): void {
  const { flag, description, expected, schema, default: value } = field;
  const what = pipeline === undefined ? description : `${pipeline}: ${description}`;
  if (typeof value === 'boolean') {
    command.addOption(new Option(flag, what));
    return;
  }
  const words = older.get(command) ?? new Set();
  older.set(command, words);
  const parse = (text: string): unknown => {
    const renamed = field.older?.values?.[text];
    if (renamed !== undefined) words.add(`${flagName(flag)} ${text} is ${flagName(flag)} ${renamed} now`);
    return validate(schema, field.parse(renamed ?? text), () => ({
      where: flagName(flag),
      expected,
      received: text === '' ? 'nothing' : text,
    }));
  };
  const option = new Option(flag, `${what}: ${expected}`).argParser(parse);
  command.addOption(value === undefined ? option : option.default(value));
  const before = field.older?.flag;
  if (before === undefined) return;
  const hidden = new Option(before).hideHelp().argParser((text) => {
    words.add(`${flagName(before)} is ${flagName(flag)} now`);
    return parse(text);
  });
  command.addOption(hidden);
}

/** The value of a field, and whether somebody typed it, by the name that it has or had. */
function typed(command: Command, { flag, older: before }: SettingField<unknown>) {
  const names = [flag, ...(before?.flag === undefined ? [] : [before.flag])].map(optionName);
  const given = names.find((name) => command.getOptionValueSource(name) === 'cli');
  return { given: given !== undefined, value: command.opts<OptionValues>()[given ?? names[0]] };
}

/** What a comparison leaves to its methods. */
export const METHOD_SETTINGS: ReadonlySet<string> = new Set([
  'steps',
  'salientFraction',
  'saliency',
  'granularity',
  'weights',
  'weightSteps',
  'salientSteps',
  'salientWeights',
  'meanSteps',
  'weightGroup',
  'weightUnit',
]);

/** Adds an option for each setting. */
export function withSettings(command: Command): Command {
  const names = PIPELINES.map(({ name }) => name);
  command.addOption(
    new Option(PIPELINE_FLAG, `method: ${names.join(', ')}`)
      .default(DEFAULT_SETTINGS.pipeline)
      .argParser((text) => {
        if (names.includes(text)) return text;
        throw new SpikeError('INVALID_ARGUMENT', {
          where: '--pipeline',
          expected: `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`,
          received: text === '' ? 'nothing' : text,
        });
      }),
  );
  for (const owned of [...COMMON, ...OWN]) addField(command, owned);
  return command;
}

/** Adds an option for each setting that is not a method's own. */
export function withCommonSettings(command: Command): Command {
  for (const owned of [...COMMON, ...OWN]) if (!METHOD_SETTINGS.has(owned.name)) addField(command, owned);
  return command;
}

/**
 * The settings that the options of a command say. Errors: INVALID_ARGUMENT for one that belongs to another pipeline, by its
 * name on the command line.
 */
export function settingsOf(command: Command): QuantizeSettings {
  const { pipeline } = command.opts<{ readonly pipeline: string }>();
  const given = givenOptions(command);
  for (const { field, pipeline: owner } of given) {
    if (owner === pipeline) continue;
    throw new SpikeError('INVALID_ARGUMENT', {
      where: flagName(field.flag),
      expected: `--pipeline ${owner}, whose option it is`,
      received: `--pipeline ${pipeline}`,
      remedy: 'leave it out, or take that pipeline',
    });
  }
  return { ...commonSettingsOf(command), pipeline, options: valuesOf(given) };
}

/** The settings that all pipelines share; those without an option have their defaults. */
export function commonSettingsOf(command: Command): QuantizeSettings {
  const common = COMMON.map(({ name, field }) => [name, typed(command, field).value ?? field.default]);
  return { ...DEFAULT_SETTINGS, ...(Object.fromEntries(common) as CommonSettings) };
}

/** What was said of the settings of a pipeline. */
export const ownOptionsOf = (command: Command, pipeline: string): Readonly<Record<string, unknown>> =>
  valuesOf(givenOptions(command).filter(({ pipeline: owner }) => owner === pipeline));

interface Given extends Owned {
  readonly value: unknown;
}

/** Options of pipelines that somebody typed. */
const givenOptions = (command: Command): Given[] =>
  OWN.flatMap((owned) => {
    const { given, value } = typed(command, owned.field);
    return given ? [{ ...owned, value }] : [];
  });

const valuesOf = (given: readonly Given[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(given.map(({ name, value }) => [name, value]));
