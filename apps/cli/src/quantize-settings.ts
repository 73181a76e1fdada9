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

/** An option of a field, held against its domain as soon as it is read. Errors: INVALID_ARGUMENT. */
function fieldOption({ field, pipeline }: Owned): Option {
  const { flag, description, expected, schema, default: value } = field;
  const what = pipeline === undefined ? description : `${pipeline}: ${description}`;
  if (typeof value === 'boolean') return new Option(flag, what);
  const option = new Option(flag, `${what}: ${expected}`).argParser((text) =>
    validate(schema, field.parse(text), () => ({
      where: flagName(flag),
      expected,
      received: text === '' ? 'nothing' : text,
    })),
  );
  return value === undefined ? option : option.default(value);
}

/** What a comparison leaves to its methods. */
export const METHOD_SETTINGS: ReadonlySet<string> = new Set([
  'steps',
  'salient',
  'saliency',
  'granularity',
  'weights',
  'weightSteps',
  'salientSteps',
  'salientWeights',
  'equalSteps',
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
  for (const owned of [...COMMON, ...OWN]) command.addOption(fieldOption(owned));
  return command;
}

/** Adds an option for each setting that is not a method's own. */
export function withCommonSettings(command: Command): Command {
  for (const owned of [...COMMON, ...OWN])
    if (!METHOD_SETTINGS.has(owned.name)) command.addOption(fieldOption(owned));
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
  const values = command.opts<OptionValues>();
  const common = COMMON.map(({ name, field }) => [name, values[optionName(field.flag)] ?? field.default]);
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
    const name = optionName(owned.field.flag);
    return command.getOptionValueSource(name) === 'cli'
      ? [{ ...owned, value: command.opts<OptionValues>()[name] }]
      : [];
  });

const valuesOf = (given: readonly Given[]): Readonly<Record<string, unknown>> =>
  Object.fromEntries(given.map(({ name, value }) => [name, value]));
