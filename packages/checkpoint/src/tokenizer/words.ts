import { isRecord } from '../files.ts';

/** What LLaMA tokenizers write for a space. */
const SPACE = '▁';

/** A run of spaces with the word behind it. */
const WORD = `${SPACE}*[^${SPACE}]+|${SPACE}+`;

/**
 * A tokenizer.json whose text is cut into words before its merges are applied, where that changes no id.
 *
 * LLaMA tokenizers have no pre-tokenizer, so that the merges run over the whole text as one piece, which takes
 * seconds for a megabyte. No merge of such a vocabulary joins the end of a word with the space behind it, hence
 * the merges of one word never see the next: cut there, every word is merged once and remembered. A definition of
 * which that does not hold is returned as it is.
 */
export function cutAtWords(definition: Record<string, unknown>): Record<string, unknown> {
  const { model, pre_tokenizer: preTokenizer } = definition;
  if (preTokenizer !== null || !isRecord(model) || model.type !== 'BPE' || !Array.isArray(model.merges)) {
    return definition;
  }
  if (model.merges.some(joinsWords)) return definition;
  return { ...definition, pre_tokenizer: { type: 'Split', pattern: { Regex: WORD }, behavior: 'Isolated' } };
}

/** Merges are written as 'left right' or as [left, right]. */
function joinsWords(merge: string | readonly string[]): boolean {
  const [left = '', right = ''] = typeof merge === 'string' ? merge.split(' ') : merge;
  return !left.endsWith(SPACE) && right.startsWith(SPACE);
}
