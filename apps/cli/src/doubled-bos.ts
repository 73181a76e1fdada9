import type { TextTokenizer } from '@spikellm/checkpoint';

/** A line for prompts that begin with BOS twice: the tokenizer puts it there, and the prompt has it written out. */
export function doubledBos(
  tokenizer: Pick<TextTokenizer, 'bos'>,
  ids: readonly number[],
): string | undefined {
  const { bos } = tokenizer;
  if (bos === undefined || ids[0] !== bos || ids[1] !== bos) return undefined;
  return `BOS (token ${bos}) stands twice at the beginning of the prompt: leave out the one that is written there`;
}
