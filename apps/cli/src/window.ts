/** The option --window, which several commands have. */
import type { ModelFolder } from '@spikellm/checkpoint';
import { mostPositions, parseModel } from '@spikellm/graph';
import { chooseWindow } from '@spikellm/llm';
import type { Option } from 'commander';
import { option, wholeAbove } from './options.ts';

export const windowOption = (): Option =>
  option(
    '--window <n>',
    'tokens in a window, 2048 or the context of the model where that is less without it',
    wholeAbove(1),
  );

/**
 * The window of a model: the one asked for, else the default one, which is said. Errors: INVALID_ARGUMENT for one above the
 * context.
 */
export function windowOf(
  { config }: Pick<ModelFolder, 'config'>,
  asked: number | undefined,
  say: (line: string) => void,
): number {
  const window = chooseWindow(asked, mostPositions(parseModel(config)), '--window');
  if (asked === undefined) say(`windows of ${window} tokens, since --window says nothing else`);
  return window;
}
