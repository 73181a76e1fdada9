import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addBench } from './commands/bench.ts';
import { addChat } from './commands/chat.ts';
import { addCompare } from './commands/compare.ts';
import { addCompletion } from './commands/completion.ts';
import { addDemo } from './commands/demo.ts';
import { addEval } from './commands/eval.ts';
import { addGenerate } from './commands/generate.ts';
import { addInspect } from './commands/inspect.ts';
import { addQuantize } from './commands/quantize.ts';
import type { Session } from './session.ts';

/** The commands, writing to the session's streams and never ending the process. */
export function createProgram(session: Session): Command {
  const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'));
  const program = new Command('spikellm')
    .description('Turn a LLaMA into a spiking language model, measure it, and let it speak.')
    .version(version, '-v, --version')
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void session.stdout.write(text),
      writeErr: (text) => void session.stderr.write(text),
      outputError: () => {}, // main says it
    });
  const commands = [addQuantize, addEval, addGenerate, addChat, addInspect, addCompare, addBench, addDemo];
  for (const add of [...commands, addCompletion]) add(program, session);
  return program;
}
