/** Items as token ids, as lm-evaluation-harness makes them since 0.4.9.2. */
import { SpikeError } from '@spikellm/backend';
import type { Item, Request } from './task.ts';
import { withoutSpaceAfter } from './text.ts';

/** Turns text into ids with the special tokens that it adds by default; a `TextTokenizer` of @spikellm/checkpoint is one. */
export interface TaskTokenizer {
  encode(text: string): readonly number[];
}

/** A context and what is to be predicted after it. */
export interface Sequence {
  readonly tokens: readonly number[];
  /** How many of them are context: 1 or more. */
  readonly context: number;
}

export interface EncodeOptions {
  /** Positions of the model. */
  readonly contextLength: number;
  /** How errors name the item. */
  readonly where: string;
}

/** An item as token ids. */
export interface EncodedItem {
  /** One for each request. */
  readonly sequences: readonly Sequence[];
  /** Whether a context lost its beginning, for want of positions. */
  readonly truncated: boolean;
}

/**
 * The token ids of an item. White space at the end of a context goes to the continuation; both are encoded together, and the
 * continuation is what follows as many tokens as the context has alone. The last token needs no position, for nothing is
 * predicted after it; a context that does not fit loses its beginning.
 * Errors: INVALID_ARGUMENT for a context or a continuation without tokens, or a continuation longer than the model's context.
 */
export function encodeItem(
  { requests }: Item,
  tokenizer: TaskTokenizer,
  { contextLength, where }: EncodeOptions,
): EncodedItem {
  const contexts = new Map<string, readonly number[]>();
  const encodeContext = (context: string): readonly number[] => {
    const tokens = contexts.get(context) ?? tokenizer.encode(context);
    contexts.set(context, tokens);
    return tokens;
  };
  const whole = requests.map((request, choice) => {
    const pair = encodePair(request, encodeContext, tokenizer);
    check(pair, contextLength, `${where}, choice ${choice}`);
    return pair;
  });
  const sequences = whole.map(({ context, continuation }) => {
    const tokens = [...context, ...continuation].slice(-(contextLength + 1));
    return { tokens, context: tokens.length - continuation.length };
  });
  return {
    sequences,
    truncated: sequences.some((sequence, i) => sequence.context < whole[i].context.length),
  };
}

interface Pair {
  readonly context: readonly number[];
  readonly continuation: readonly number[];
}

function encodePair(
  request: Request,
  encodeContext: (context: string) => readonly number[],
  tokenizer: TaskTokenizer,
): Pair {
  const context = encodeContext(withoutSpaceAfter(request.context));
  const together = tokenizer.encode(request.context + request.continuation);
  return { context, continuation: together.slice(context.length) };
}

function check({ context, continuation }: Pair, contextLength: number, where: string): void {
  if (context.length > 0 && continuation.length > 0 && continuation.length <= contextLength) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where,
    expected:
      context.length === 0
        ? 'a context of a token or more'
        : `a choice of 1 to ${contextLength} tokens, the context of the model`,
    received: context.length === 0 ? 'none' : String(continuation.length),
  });
}
