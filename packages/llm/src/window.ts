import { SpikeError } from '@spikellm/backend';

/** Tokens in a window where nothing is said: as most published perplexities have it. */
const USUAL_WINDOW = 2048;

/**
 * Tokens in a window: those asked for, else 2048 or the context where that is less.
 *
 * @param context - positions of the model
 * @param where - how an error names the option
 * Errors: INVALID_ARGUMENT for a window above the context.
 */
export function chooseWindow(window: number | undefined, context: number, where = 'window'): number {
  if (window === undefined) return Math.min(USUAL_WINDOW, context);
  if (Number.isSafeInteger(window) && window >= 2 && window <= context) return window;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected: `a whole number from 2 to ${context} tokens, the context of the model`,
    received: String(window),
  });
}
