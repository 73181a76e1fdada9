import { SpikeError } from '@spikellm/backend';
import { exists, isRecord, readBytes, readJsonObject } from './files.ts';
import type { FileStore } from './store.ts';
import type { TextTokenizer } from './tokenizer.ts';
import { contentOf } from './tokenizer/special-tokens.ts';

export const TEMPLATE_FILE = 'chat_template.jinja';
export const OLD_TEMPLATE_FILE = 'chat_template.json';

/** What somebody said. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or another that the template knows. */
  readonly role: string;
  readonly content: string;
}

export interface ChatOptions {
  /** Whether the beginning of a reply follows. Default: true. */
  readonly reply?: boolean | undefined;
}

/** How a model wants a conversation to be written. Errors of both: INVALID_ARGUMENT where the template refuses the messages. */
export interface ChatTemplate {
  text(messages: readonly ChatMessage[], options?: ChatOptions): string;
  /** Token ids of that text. The template writes BOS itself, so nothing is put around it. */
  ids(messages: readonly ChatMessage[], options?: ChatOptions): number[];
}

/** What a template is read from. */
export interface TemplateSource {
  /** The model, for errors. */
  readonly path: string;
  readonly template: string | undefined;
  /** tokenizer_config.json: special tokens by their names. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** chat_template.jinja, else chat_template.json, else tokenizer_config.json. Errors: CORRUPT_FILE. */
export async function readTemplate(
  files: FileStore,
  folder: string,
  config: Readonly<Record<string, unknown>>,
): Promise<string | undefined> {
  const path = files.join(folder, TEMPLATE_FILE);
  if (await exists(files, path)) return new TextDecoder().decode(await readBytes(files, path));
  const old = files.join(folder, OLD_TEMPLATE_FILE);
  const stated = (await exists(files, old)) ? await readJsonObject(files, old) : config;
  return templateOf(stated.chat_template);
}

/** A template, or the one called `default` of a list with names. */
export function templateOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  const named = Array.isArray(value) ? value.filter(isRecord) : [];
  const found = named.find(({ name }) => name === 'default') ?? named[0];
  return typeof found?.template === 'string' ? found.template : undefined;
}

/** Errors: MISSING without a template, UNSUPPORTED for one that cannot be read. */
export async function createChatTemplate(
  { path, template, config }: TemplateSource,
  tokenizer: TextTokenizer,
): Promise<ChatTemplate> {
  if (template === undefined) {
    throw new SpikeError('MISSING', {
      where: path,
      expected: `a chat template, in ${TEMPLATE_FILE} or tokenizer_config.json`,
      received: 'none',
      remedy: 'this may be a model that continues texts: use generate',
    });
  }
  const { Template } = await import('@huggingface/jinja');
  const failed = (code: 'UNSUPPORTED' | 'INVALID_ARGUMENT', expected: string, cause: unknown): SpikeError =>
    new SpikeError(code, {
      where: `${path}: chat template`,
      expected,
      received: (cause as Error).message,
      cause,
    });
  let parsed: InstanceType<typeof Template>;
  try {
    parsed = new Template(template);
  } catch (error) {
    throw failed('UNSUPPORTED', 'a template that @huggingface/jinja can read', error);
  }
  const tokens = Object.fromEntries(
    Object.entries(config).flatMap(([name, token]) =>
      name.endsWith('_token') && contentOf(token) !== undefined ? [[name, contentOf(token)]] : [],
    ),
  );
  const text: ChatTemplate['text'] = (messages, { reply = true } = {}) => {
    try {
      return parsed.render({ ...tokens, messages, add_generation_prompt: reply });
    } catch (error) {
      throw failed('INVALID_ARGUMENT', 'messages that it takes', error);
    }
  };
  return { text, ids: (messages, options) => tokenizer.encode(text(messages, options), { special: false }) };
}
