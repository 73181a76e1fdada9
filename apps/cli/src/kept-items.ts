import { appendFile, mkdir, readFile, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { SpikeError } from '@spikellm/backend';
import type { ItemScores } from '@spikellm/evaluation';

/** Items of a task that are finished, in a file, so that an interrupted run goes on. */
export interface KeptItems {
  readonly items: readonly ItemScores[];
  keep(item: ItemScores): Promise<void>;
  /** Once the run is complete. */
  forget(): Promise<void>;
}

/** `$XDG_CACHE_HOME/spikellm/tasks`, or the same in ~/.cache. */
export const defaultItemsFolder = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'spikellm', 'tasks');

/** Opens a file of items, one a line, which need not exist. Errors: INVALID_ARGUMENT where it cannot be written. */
export async function openItems(path: string): Promise<KeptItems> {
  const text = await readFile(path, 'utf8').catch(() => '');
  try {
    await mkdir(dirname(path), { recursive: true });
    if (text !== '' && !text.endsWith('\n')) await appendFile(path, '\n'); // a line that was cut off
    await appendFile(path, '');
  } catch (cause) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: '--cache',
      expected: 'a folder that can be written',
      received: `${path} (${(cause as Error).message})`,
      cause,
    });
  }
  return {
    items: text.split('\n').flatMap(readItem),
    keep: (item) => appendFile(path, `${JSON.stringify(item)}\n`),
    forget: () => rm(path, { force: true }),
  };
}

function readItem(line: string): ItemScores[] {
  try {
    return [JSON.parse(line) as ItemScores];
  } catch {
    return [];
  }
}
