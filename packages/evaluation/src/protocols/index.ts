import { SpikeError } from '@spikellm/backend';
import { c4 } from './c4.ts';
import type { Protocol } from './protocol.ts';
import { text } from './text.ts';
import { wikitext2 } from './wikitext2.ts';

export type { Protocol, ProtocolText } from './protocol.ts';

/** By name. Another one is a file beside these, and its line here. */
export const PROTOCOLS: Readonly<Record<string, Protocol>> = Object.fromEntries(
  [wikitext2, c4, text].map((protocol) => [protocol.name, protocol]),
);

/** What texts are tokenised with; `TextTokenizer` of @spikellm/checkpoint is one. */
export interface ProtocolTokenizer {
  encode(text: string, options: { readonly special: boolean }): number[];
  readonly bos: number | undefined;
}

/** A tokenised text. */
export interface ProtocolTokens {
  readonly ids: number[];
  /** The token that each window begins with, where the family of the model needs one. */
  readonly head: number | undefined;
}

/** Families that were never trained on a text without BOS: without it every window is far from what they know. */
const HEADED = ['gemma', 'gemma2', 'gemma3', 'gemma3_text'];

/**
 * Tokenises a text once and as a whole, with what its tokenizer puts around it (LLaMA: one BOS at the very beginning), or for
 * families that need it with BOS at the head of each window instead.
 * Errors: MISMATCH for such a family without BOS.
 *
 * @param config - config.json of the model
 */
export function tokenise(
  content: string,
  tokenizer: ProtocolTokenizer,
  { model_type: family }: Readonly<Record<string, unknown>>,
): ProtocolTokens {
  if (!HEADED.includes(family as string))
    return { ids: tokenizer.encode(content, { special: true }), head: undefined };
  const { bos } = tokenizer;
  if (bos === undefined) {
    throw new SpikeError('MISMATCH', {
      where: 'tokenizer',
      expected: `BOS, which models of the family ${family as string} need`,
      received: 'none',
    });
  }
  return { ids: tokenizer.encode(content, { special: false }), head: bos };
}
