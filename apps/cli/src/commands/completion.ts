import { SpikeError } from '@spikellm/backend';
import type { Command } from 'commander';
import { bashCompletion, fishCompletion, zshCompletion } from '../completion.ts';
import { withVerbose } from '../options.ts';
import { print, type Session } from '../session.ts';

const SHELLS: Readonly<Record<string, (program: Command) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function addCompletion(program: Command, session: Session): void {
  const command = program
    .command('completion')
    .description('Print a script that completes commands and options in a shell.')
    .argument('<shell>', Object.keys(SHELLS).join(', '));
  withVerbose(command, 'completion bash >> ~/.bashrc').action((shell: string) => {
    if (Object.hasOwn(SHELLS, shell)) return print(session, SHELLS[shell](program));
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'shell',
      expected: Object.keys(SHELLS).join(', '),
      received: shell,
    });
  });
}
