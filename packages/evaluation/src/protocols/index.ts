import { SpikeError } from '@spikellm/backend';
import type { DecoderConfig } from '@spikellm/graph';
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

/**
 * Tokenises a text once and as a whole, with what its tokenizer puts around it (LLaMA: one BOS at the very beginning), or for
 * models that need it with BOS at the head of each window instead.
 * Errors: MISMATCH for such a model without BOS.
 */
export function tokenise(
  content: string,
  tokenizer: ProtocolTokenizer,
  { needsBos, family }: Pick<DecoderConfig, 'needsBos' | 'family'>,
): ProtocolTokens {
  if (needsBos !== true) return { ids: tokenizer.encode(content, { special: true }), head: undefined };
  const { bos } = tokenizer;
  if (bos === undefined) {
    throw new SpikeError('MISMATCH', {
      where: 'tokenizer',
      expected: `BOS, which models of the family ${family} need`,
      received: 'none',
    });
  }
  return { ids: tokenizer.encode(content, { special: false }), head: bos };
}
