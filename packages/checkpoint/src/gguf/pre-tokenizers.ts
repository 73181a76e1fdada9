/** How texts of a byte-level vocabulary are cut before merges are applied. */
export interface PreTokenizer {
  /** Applied one after the other: each cuts what the one before it left into what matches and what is between. */
  readonly patterns: readonly string[];
  /** A word that is a token as it stands is not merged. */
  readonly ignoresMerges?: true;
  /** A text begins with BOS where the file does not say. */
  readonly addsBos?: true;
  /** Characters are composed first. */
  readonly composes?: true;
}

const CONTRACTIONS = "'s|'t|'re|'ve|'m|'ll|'d";
// Written out, since regular expressions of older engines have no part that ignores case.
const ANY_CASE = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const BREAKS_AND_SPACES = String.raw`\s*[\r\n]+|\s+(?!\S)|\s+`;
const GPT2 = String.raw`${CONTRACTIONS}| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`;
const GPT4 = (digits: string): string =>
  String.raw`${ANY_CASE}|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|${BREAKS_AND_SPACES}`;
const GPT4O = (digits: string, contractions: string): string => {
  const upper = String.raw`[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]`;
  const lower = String.raw`[\p{Ll}\p{Lm}\p{Lo}\p{M}]`;
  const words = [`${upper}*${lower}+`, `${upper}+${lower}*`].map(
    (word) => String.raw`[^\r\n\p{L}\p{N}]?${word}${contractions}`,
  );
  return String.raw`${words.join('|')}|${digits}| ?[^\s\p{L}\p{N}]+[\r\n/]*|${BREAKS_AND_SPACES}`;
};
const DIGIT = String.raw`\p{N}`;
const THREE_DIGITS = String.raw`\p{N}{1,3}`;

const llama3: PreTokenizer = { patterns: [GPT4(THREE_DIGITS)], ignoresMerges: true, addsBos: true };
const qwen2: PreTokenizer = { patterns: [GPT4(DIGIT)], composes: true };
const gpt4o: PreTokenizer = { patterns: [GPT4O(THREE_DIGITS, `${ANY_CASE}?`)] };
const gpt2: PreTokenizer = { patterns: [GPT2] };
const digitsFirst: PreTokenizer = { patterns: [DIGIT, GPT2] };

/** By tokenizer.ggml.pre. Source: the patterns of the tokenizers themselves, and src/llama-vocab.cpp of llama.cpp. */
export const PRE_TOKENIZERS: Readonly<Record<string, PreTokenizer>> = {
  // What llama.cpp takes for files that do not say how their words are cut.
  default: {
    patterns: [String.raw`[\p{P}\$\+<=>\^~\|]+`, GPT2, String.raw`\p{N}+`, '[0-9][0-9][0-9]'],
  },
  'gpt-2': gpt2,
  'phi-2': gpt2,
  mpt: gpt2,
  olmo: gpt2,
  jais: gpt2,
  exaone4: gpt2,
  smollm: digitsFirst,
  starcoder: digitsFirst,
  refact: digitsFirst,
  'command-r': digitsFirst,
  codeshell: digitsFirst,
  exaone: digitsFirst,
  'minerva-7b': digitsFirst,
  'llama-bpe': llama3,
  llama3,
  'llama-v3': llama3,
  falcon3: llama3,
  dbrx: { patterns: [GPT4(THREE_DIGITS)] },
  'smaug-bpe': { patterns: [GPT4(THREE_DIGITS)] },
  qwen2,
  'deepseek-r1-qwen': qwen2,
  kormo: qwen2,
  megrez: qwen2,
  stablelm2: { patterns: [GPT4(DIGIT)] },
  tekken: { patterns: [GPT4O(DIGIT, '')], ignoresMerges: true, addsBos: true },
  'gpt-4o': gpt4o,
  llama4: gpt4o,
};
