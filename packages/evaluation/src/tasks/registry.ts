import { SpikeError } from '@spikellm/backend';
import { arcChallenge } from './arc_challenge.ts';
import { arcEasy } from './arc_easy.ts';
import { boolq } from './boolq.ts';
import { hellaswag } from './hellaswag.ts';
import { lambadaOpenai } from './lambada_openai.ts';
import { piqa } from './piqa.ts';
import type { Task } from './task.ts';
import { winogrande } from './winogrande.ts';

/** The tasks of this version. */
export const TASKS: readonly Task[] = [
  piqa,
  arcEasy,
  arcChallenge,
  boolq,
  hellaswag,
  winogrande,
  lambadaOpenai,
];

/**
 * A task by its name. Errors: INVALID_ARGUMENT for a name that none has.
 *
 * @param where - the option that names it
 */
export function findTask(name: string, where = 'task'): Task {
  const found = TASKS.find((task) => task.name === name);
  if (found !== undefined) return found;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: TASKS.map((task) => task.name).join(', '),
    received: name === '' ? 'nothing' : name,
  });
}
