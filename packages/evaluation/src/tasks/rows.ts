import { SpikeError } from '@spikellm/backend';
import type { Item, Task } from './task.ts';

/** Where a task's rows come from, and how many of them. */
export interface RowOptions {
  /** How errors name the file. */
  readonly where: string;
  /** The first n rows, in the order of the file; the default is all. */
  readonly limit?: number | undefined;
}

/**
 * The items of a task's file. Errors: INVALID_ARGUMENT for a row that has not the task's fields, CORRUPT_FILE for a line
 * that is no JSON, MISSING for a file without rows.
 *
 * @param text - JSON objects, one a line
 */
export function readItems(task: Task, text: string, { where, limit }: RowOptions): Item[] {
  const lines = text.split('\n');
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) {
    throw new SpikeError('MISSING', { where, expected: `rows of ${task.name}`, received: 'none' });
  }
  return lines.slice(0, limit).map((line, index) => {
    const row = `${where}, row ${index}`;
    return task.item(parse(line, row), row);
  });
}

function parse(line: string, where: string): unknown {
  try {
    return JSON.parse(line) as unknown;
  } catch (cause) {
    const received = (cause as Error).message;
    throw new SpikeError('CORRUPT_FILE', { where, expected: 'an object in JSON', received, cause });
  }
}
