import type { ChatMessage, ChatTemplate, TextTokenizer } from '@spikellm/checkpoint';
import { checkPrompt, generateText, type Decoder, type SamplingOptions } from '@spikellm/graph';
import { secondsSince } from '../measure.ts';

/** What replies are made with. */
export interface Speaker {
  readonly decoder: Decoder;
  readonly tokenizer: TextTokenizer;
  readonly template: ChatTemplate;
  readonly sampling: SamplingOptions;
  readonly maxTokens: number | undefined;
}

/** One reply, and what it was made of. */
export interface Turn {
  /** The conversation as the model reads it. */
  readonly prompt: string;
  readonly promptIds: readonly number[];
  readonly reply: string;
  readonly ids: readonly number[];
  readonly tokensPerSecond: number;
  readonly seconds: number;
  /** Whether the reply was stopped before its end. */
  readonly stopped: boolean;
}

/**
 * Lets a model answer. With `signal` aborted the reply ends there, as a turn that is `stopped`.
 * Errors: INVALID_ARGUMENT for a conversation above the context, or one that the template refuses.
 */
export async function speak(
  { decoder, tokenizer, template, sampling, maxTokens }: Speaker,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
  onText: (piece: string) => void,
): Promise<Turn> {
  const prompt = template.text(messages);
  const promptIds = template.ids(messages);
  checkPrompt(decoder, promptIds, maxTokens);
  const ids: number[] = [];
  let reply = '';
  const began = performance.now();
  const options = {
    ...sampling,
    ...(maxTokens !== undefined && { maxTokens }),
    signal,
    detokenizer: tokenizer.stream(),
  };
  try {
    for await (const { id, text } of generateText(decoder, promptIds, options)) {
      if (id !== undefined) ids.push(id);
      reply += text;
      onText(text);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  const seconds = secondsSince(began);
  return {
    prompt,
    promptIds,
    reply,
    ids,
    tokensPerSecond: ids.length / seconds,
    seconds,
    stopped: signal.aborted,
  };
}
