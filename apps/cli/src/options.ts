import { SpikeError } from '@spikellm/backend';
import { backendNames } from '@spikellm/llm';
import { Option, type Command } from 'commander';

/** What an option takes. */
export interface Domain<T> {
  /** How an error names it. */
  readonly expected: string;
  /** The value of a text, or undefined where it is none. */
  parse(text: string): T | undefined;
  /** Values of the method that this version does not have. */
  readonly planned?: readonly string[];
}

/** An option whose value is held against its domain; its help names the domain. Errors: INVALID_ARGUMENT. */
export function option<T>(flags: string, description: string, domain: Domain<T>): Option {
  const where = /--[\w-]+/.exec(flags)![0];
  return new Option(flags, `${description}: ${domain.expected}`).argParser((text) => {
    const value = domain.parse(text);
    if (value !== undefined) return value;
    const planned = domain.planned?.includes(text) ?? false;
    throw new SpikeError('INVALID_ARGUMENT', {
      where,
      expected: domain.expected,
      received: text === '' ? 'nothing' : text,
      ...(planned && { remedy: `${text} is not in this version` }),
    });
  });
}

const toNumber = (text: string): number => (text.trim() === '' ? Number.NaN : Number(text));

export const numbers = (expected: string, accepts: (value: number) => boolean): Domain<number> => ({
  expected,
  parse(text) {
    const value = toNumber(text);
    return accepts(value) ? value : undefined;
  },
});

export const wholeAbove = (least: number): Domain<number> =>
  numbers(`a whole number above ${least}`, (value) => Number.isSafeInteger(value) && value > least);

/** Zero is one of them. */
export const wholes: Domain<number> = numbers(
  'a whole number',
  (value) => Number.isSafeInteger(value) && value >= 0,
);

export const wholeBetween = (least: number, most: number): Domain<number> =>
  numbers(
    `a whole number from ${least} to ${most}`,
    (value) => Number.isInteger(value) && value >= least && value <= most,
  );

/** Bytes as a number with a unit: kB, MB, GB and TB of 1000, KiB to TiB of 1024. */
export const sizes: Domain<number> = {
  expected: 'a size like 500MB or 2GiB',
  parse(text) {
    const [, amount, prefix, binary] = /^(\d+(?:\.\d+)?) ?(?:([kmgt])(i?))?b?$/i.exec(text) ?? [];
    if (amount === undefined) return undefined;
    const power = prefix === undefined ? 0 : 1 + 'kmgt'.indexOf(prefix.toLowerCase());
    return Math.floor(Number(amount) * (binary ? 1024 : 1000) ** power);
  },
};

export const seeds: Domain<number> = {
  ...wholeBetween(0, 2 ** 32 - 1),
  expected: 'a whole number from 0 to 2^32 - 1',
};

export function oneOf(values: readonly string[], planned: readonly string[] = []): Domain<string> {
  const expected = values.length === 1 ? values[0] : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
  return { expected, planned, parse: (text) => (values.includes(text) ? text : undefined) };
}

/** What every command takes, and what its help shows. */
export function withVerbose(command: Command, ...examples: readonly string[]): Command {
  return command
    .option('--verbose', 'show where an error comes from')
    .addHelpText('after', `\nExample:${examples.map((example) => `\n  $ spikellm ${example}`).join('')}`);
}

/** What every command that computes takes. */
export function withBackend(command: Command): Command {
  const names = ['auto', ...backendNames()];
  return command
    .addOption(option('--backend <name>', 'what computes', oneOf(names)).default('auto'))
    .addOption(option('--threads <n>', 'threads of a backend that has them', wholeBetween(1, 1024)));
}
