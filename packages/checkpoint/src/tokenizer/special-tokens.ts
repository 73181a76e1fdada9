import { SpikeError } from '@spikellm/backend';
import { isRecord } from '../files.ts';
import type { Engine } from './engine.ts';
import type { Frame } from './post-processors.ts';

type Json = Readonly<Record<string, unknown>>;

/** tokenizer_config.json over special_tokens_map.json: what the first does not say, the second may. */
export const withTokensMap = (config: Json, map: Json): Json => {
  const stated = Object.entries(config).filter(([, value]) => value !== null && value !== undefined);
  return { ...map, ...Object.fromEntries(stated) };
};

/** Fields of tokenizer_config.json that name one special token. */
const NAMES = ['bos_token', 'eos_token', 'unk_token', 'sep_token', 'pad_token', 'cls_token', 'mask_token'];

/** A token as a string, or as an object with its `content`. */
export const contentOf = (token: unknown): string | undefined => {
  const content = isRecord(token) ? token.content : token;
  return typeof content === 'string' && content !== '' ? content : undefined;
};

/**
 * tokenizer.json with the added tokens that tokenizer_config.json has beside it: transformers adds those of
 * `added_tokens_decoder`, and takes every special token that it names for one wherever it stands in a text.
 */
export function withConfigTokens(definition: Json, config: Json): Record<string, unknown> {
  const own = Array.isArray(definition.added_tokens) ? definition.added_tokens.filter(isRecord) : [];
  const known = new Set(own.map(({ content }) => content));
  const ids = vocabularyOf(definition.model);
  const stated = isRecord(config.added_tokens_decoder) ? Object.entries(config.added_tokens_decoder) : [];
  const added: Json[] = [];
  const add = (content: string, id: number, token: Json): void => {
    if (known.has(content)) return;
    known.add(content);
    added.push({ ...token, id, content });
  };
  for (const [id, token] of stated) {
    const content = contentOf(token);
    if (content === undefined || !isRecord(token)) continue;
    const { lstrip, rstrip, single_word, normalized, special } = token;
    add(content, Number(id), { lstrip, rstrip, single_word, normalized, special });
  }
  const more = config.additional_special_tokens ?? config.extra_special_tokens;
  const others = Array.isArray(more) ? more : isRecord(more) ? Object.values(more) : [];
  for (const token of [...NAMES.map((name) => config[name]), ...others]) {
    const content = contentOf(token);
    const id = content === undefined ? undefined : ids(content);
    if (id !== undefined) add(content!, id, { special: true, normalized: false });
  }
  if (added.length === 0) return definition;
  return { ...definition, added_tokens: [...(own as unknown[]), ...added] };
}

function vocabularyOf(model: unknown): (token: string) => number | undefined {
  const vocab = isRecord(model) ? model.vocab : undefined;
  if (isRecord(vocab)) return (token) => (Object.hasOwn(vocab, token) ? (vocab[token] as number) : undefined);
  const tokens = Array.isArray(vocab)
    ? vocab.map((entry: unknown) => (Array.isArray(entry) ? entry[0] : undefined))
    : [];
  return (token) => {
    const id = tokens.lastIndexOf(token);
    return id < 0 ? undefined : id;
  };
}

/** What a class of tokenizers does where its files do not say. */
interface Defaults {
  readonly bos: boolean;
  readonly eos: boolean;
  readonly tokens: Readonly<Record<'bos_token' | 'eos_token', string>>;
}
const llama: Defaults = { bos: true, eos: false, tokens: { bos_token: '<s>', eos_token: '</s>' } };
const gemma: Defaults = { ...llama, tokens: { bos_token: '<bos>', eos_token: '<eos>' } };

/** By `tokenizer_class`. Source: the classes of transformers that frame texts themselves. */
const CLASSES: Readonly<Record<string, Defaults>> = {
  LlamaTokenizer: llama,
  CodeLlamaTokenizer: llama,
  GemmaTokenizer: gemma,
  CohereTokenizer: { ...llama, tokens: { bos_token: '<BOS_TOKEN>', eos_token: '<|END_OF_TURN_TOKEN|>' } },
};

/**
 * How a text is framed by BOS and EOS: as `add_bos_token` and `add_eos_token` of tokenizer_config.json say, else as the class
 * of the tokenizer does, else as the post-processor of tokenizer.json does. Errors: MISMATCH for a token that is none.
 */
export function frameOf(path: string, engine: Engine, config: Json): Frame {
  const name = typeof config.tokenizer_class === 'string' ? config.tokenizer_class.replace(/Fast$/, '') : '';
  const defaults = Object.hasOwn(CLASSES, name) ? CLASSES[name] : undefined;
  const side = (
    flag: unknown,
    byClass: boolean | undefined,
    key: 'bos_token' | 'eos_token',
    otherwise: readonly number[],
  ): readonly number[] => {
    const wanted = typeof flag === 'boolean' ? flag : byClass;
    if (wanted === undefined) return otherwise;
    return wanted ? [specialId(path, engine, key, config[key] ?? defaults?.tokens[key])] : [];
  };
  return {
    before: side(config.add_bos_token, defaults?.bos, 'bos_token', engine.frame.before),
    behind: side(config.add_eos_token, defaults?.eos, 'eos_token', engine.frame.behind),
  };
}

function specialId(path: string, engine: Engine, key: string, token: unknown): number {
  const content = contentOf(token);
  const id = content === undefined ? undefined : engine.idOf(content);
  if (id !== undefined) return id;
  throw new SpikeError('MISMATCH', {
    where: path,
    expected: `${key} of tokenizer_config.json in the vocabulary`,
    received: JSON.stringify(token) ?? 'none',
  });
}
