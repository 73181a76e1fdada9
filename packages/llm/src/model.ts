import { SpikeError, type Backend, type Selected } from '@spikellm/backend';
import type { TextTokenizer } from '@spikellm/checkpoint';
import { perplexity, type Perplexity } from '@spikellm/evaluation';
import {
  checkPrompt,
  generateText,
  generateTokens,
  loadDecoder,
  mostPositions,
  parseModel,
  type Decoder,
  type DecoderConfig,
  type GenerateOptions as SamplingOptions,
  type SpikingConfig,
} from '@spikellm/graph';
import type { Tensor } from 'onnxruntime-common';
import { chooseBackend, type BackendChoice, type Chosen } from './backends.ts';
import type { DownloadStep } from './fetch-model.ts';
import { checkOptions, checkText, checkTokenIds, wrong, type Names } from './options.ts';
import { nameOf, openSource, type ModelSource, type SourceOptions } from './source.ts';
import { chooseWindow } from './window.ts';

/** How far `openModel` is: bytes of files that are fetched, layers that are loaded. */
export type OpenProgress =
  | DownloadStep
  | { readonly phase: 'load'; readonly done: number; readonly total: number };

export interface OpenModelOptions extends Omit<SourceOptions, 'onProgress'> {
  /**
   * `auto`, the default, takes the fastest backend that runs here. A `Backend` of yours is used and not disposed. WebGPU is
   * taken by name only.
   */
  readonly backend?: BackendChoice | undefined;
  /** Tokens of a text at most, prompt and continuation together. Default: the context of the model. */
  readonly context?: number | undefined;
  readonly onProgress?: ((step: OpenProgress) => void) | undefined;
}

/** How a prompt is continued: greedily, unless `temperature` is above 0. */
export interface GenerateOptions extends SamplingOptions {
  /** Texts that end the generation; they are not part of what comes out. */
  readonly stop?: readonly string[];
}

/** How perplexity is measured. */
export interface PerplexityOptions {
  /** Tokens in a window. Default: 2048, or the context where that is less. */
  readonly window?: number | undefined;
  /** Windows at most. Default: all that fit. */
  readonly maxWindows?: number | undefined;
  /** Windows to leave out at the beginning of the text. Default: 0. */
  readonly skipWindows?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called after each window. */
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
}

/** A model that is open, float or spiking. Calls on one that is closed are refused: DISPOSED. */
export interface Model extends AsyncDisposable {
  /** The source as it was given: a path, an id, an address, the name of a folder. */
  readonly name: string;
  /** Sizes of the model. */
  readonly config: DecoderConfig;
  /** Tokens of a text at most: the option `context`, or what the model has; Infinity where it takes any length. */
  readonly context: number;
  /** How the model spikes; undefined for a float model. */
  readonly spiking: SpikingConfig | undefined;
  /** What computes: `backend.name`, `backend.report`. */
  readonly backend: Backend;
  /** Backends that were tried before it, each with the reason why it does not run here. */
  readonly passed: Selected['passed'];
  /**
   * Token ids of a text, with the special tokens around it that the tokenizer's files ask for.
   * Errors: INVALID_ARGUMENT for what is no text; MISSING, CORRUPT_FILE or UNSUPPORTED for a model without a tokenizer.
   */
  encode(text: string): number[];
  /** Text of token ids, without special tokens. Errors: as `encode`, and INVALID_ARGUMENT for an id that is not known. */
  decode(ids: readonly number[]): string;
  /**
   * Continues a prompt: pieces of text as they come. Leaving the loop frees its memory.
   * Errors: as `encode`; INVALID_ARGUMENT for the prompt or an option; UNSUPPORTED for a model that is not causal; rejects
   * with the signal's reason when aborted.
   */
  generate(prompt: string | readonly number[], options?: GenerateOptions): AsyncGenerator<string, void, void>;
  /** As `generate`, but token ids, and without `stop`. A model needs no tokenizer for it. Errors: as `generate`. */
  generateIds(
    prompt: string | readonly number[],
    options?: SamplingOptions,
  ): AsyncGenerator<number, void, void>;
  /**
   * Logits [tokens, vocabulary] of a whole prompt, float32: row n is of the token after the first n + 1.
   * Errors: INVALID_ARGUMENT for ids that are none, or more of them than the context.
   */
  logits(ids: readonly number[], options?: { readonly signal?: AbortSignal | undefined }): Promise<Tensor>;
  /**
   * Perplexity of a text over windows that do not overlap; the result says how it was measured.
   * Errors: INVALID_ARGUMENT (an option, a text shorter than a window, a window above the context), NOT_FINITE.
   */
  perplexity(text: string | readonly number[], options?: PerplexityOptions): Promise<Perplexity>;
  /** Frees the model, and the backend where it was opened with the model. A second call does nothing. */
  close(): Promise<void>;
}

const OPEN: Names<OpenModelOptions> = {
  backend: true,
  context: true,
  files: true,
  signal: true,
  onProgress: true,
};
const SAMPLING: Names<SamplingOptions> = {
  maxTokens: true,
  temperature: true,
  topK: true,
  topP: true,
  seed: true,
  endTokens: true,
  signal: true,
};
const GENERATE: Names<GenerateOptions> = { ...SAMPLING, stop: true };
const PERPLEXITY: Names<PerplexityOptions> = {
  window: true,
  maxWindows: true,
  skipWindows: true,
  signal: true,
  onProgress: true,
};

/**
 * Opens a model and makes it ready. Its files are closed again by the time it is returned.
 *
 * @param source - a folder, a `.gguf` file or a hub id; in a page also an address, `File`s or a directory handle
 * Errors: INVALID_ARGUMENT (the source, an option); those of `openModelFolder`, `openGguf`, `resolveModel` and `loadDecoder`;
 * rejects with the signal's reason when aborted.
 *
 * @example
 * await using model = await openModel('models/tales');
 * for await (const text of model.generate('Once upon a time', { maxTokens: 60 })) process.stdout.write(text);
 */
export async function openModel(source: ModelSource, options: OpenModelOptions = {}): Promise<Model> {
  checkOptions('openModel', options, OPEN);
  const { signal, onProgress } = options;
  await using folder = await openSource(source, options);
  checkContext(options.context, mostPositions(parseModel(folder.config)));
  const tokenizer = await folder.tokenizer().catch((error: unknown) => {
    if (error instanceof SpikeError) return error; // a model without one still takes ids
    throw error;
  });
  const chosen = await chooseBackend(options.backend);
  try {
    const loaded = await loadDecoder({
      config: folder.config,
      tensors: folder.tensors,
      backend: chosen.backend,
      context: options.context,
      ...(signal && { signal }),
      onProgress: (done, total) => onProgress?.({ phase: 'load', done, total }),
    });
    return createModel(nameOf(source), loaded, tokenizer, chosen);
  } catch (error) {
    chosen.release();
    throw error;
  }
}

/** Errors: INVALID_ARGUMENT for more tokens than the model has positions. */
function checkContext(context: number | undefined, most: number): void {
  if (context === undefined || (Number.isSafeInteger(context) && context >= 2 && context <= most)) return;
  throw wrong('context', `a whole number from 2 to ${most}, the context of the model`, context);
}

function createModel(
  name: string,
  decoder: Decoder,
  tokenizer: TextTokenizer | SpikeError,
  { backend, passed, release }: Chosen,
): Model {
  let closed = false;
  const checkOpen = (where: string): void => {
    if (!closed) return;
    throw new SpikeError('DISPOSED', {
      where,
      expected: 'an open model',
      received: `${name}, which is closed`,
    });
  };
  const needTokenizer = (where: string): TextTokenizer => {
    if (!(tokenizer instanceof SpikeError)) return tokenizer;
    throw new SpikeError(tokenizer.code, {
      where,
      expected: `a model with a tokenizer`,
      received: `${name} without one (${tokenizer.message})`,
      remedy: 'give and take token ids',
      cause: tokenizer,
    });
  };
  const idsOf = (where: string, text: string | readonly number[]): readonly number[] => {
    if (typeof text === 'string') return needTokenizer(where).encode(text);
    checkTokenIds(where, text);
    return text;
  };
  const close = async (): Promise<void> => {
    if (closed) return;
    closed = true;
    decoder.dispose();
    release();
  };
  return {
    name,
    config: decoder.config,
    context: decoder.context,
    spiking: decoder.spiking,
    backend,
    passed,
    encode(text) {
      checkOpen('encode');
      checkText('encode', text);
      return needTokenizer('encode').encode(text);
    },
    decode(ids) {
      checkOpen('decode');
      checkTokenIds('decode', ids);
      return needTokenizer('decode').decode(ids);
    },
    generate(prompt, options = {}) {
      checkOpen('generate');
      checkOptions('generate', options, GENERATE);
      const { stop = [], ...sampling } = options;
      if (!Array.isArray(stop)) throw wrong('stop', 'an array of texts', stop);
      const ids = idsOf('generate', prompt);
      checkPrompt(decoder, ids, options.maxTokens);
      const pieces = continued(decoder, needTokenizer('generate'), ids, { ...sampling, stop });
      return whileOpen(() => checkOpen('generate'), pieces);
    },
    generateIds(prompt, options = {}) {
      checkOpen('generateIds');
      checkOptions('generateIds', options, SAMPLING);
      const ids = idsOf('generateIds', prompt);
      checkPrompt(decoder, ids, options.maxTokens);
      return whileOpen(() => checkOpen('generateIds'), generateTokens(decoder, ids, options));
    },
    async logits(ids, options = {}) {
      checkOpen('logits');
      checkOptions('logits', options, { signal: true });
      checkTokenIds('logits', ids);
      const { context } = decoder;
      if (ids.length < 1 || ids.length > context) {
        throw wrong('logits', `1 to ${context} token ids, the context of the model`, ids.length);
      }
      using cache = decoder.createCache(ids.length);
      using logits = decoder.forward(ids, cache, { logits: 'all', signal: options.signal });
      return await backend.read(logits, { signal: options.signal });
    },
    async perplexity(text, options = {}) {
      checkOpen('perplexity');
      checkOptions('perplexity', options, PERPLEXITY);
      const window = chooseWindow(options.window, decoder.context);
      return perplexity(decoder, idsOf('perplexity', text), { ...options, window });
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What comes before the model is closed. */
async function* whileOpen<T>(check: () => void, pieces: AsyncIterable<T>): AsyncGenerator<T, void, void> {
  check();
  for await (const piece of pieces) {
    yield piece;
    check();
  }
}

/** The text that follows a prompt; the prompt tells the detokenizer what stands before it. */
async function* continued(
  decoder: Decoder,
  tokenizer: TextTokenizer,
  prompt: readonly number[],
  options: GenerateOptions,
): AsyncGenerator<string, void, void> {
  const detokenizer = tokenizer.stream();
  for (const id of prompt) detokenizer.push(id);
  for await (const { text } of generateText(decoder, prompt, { ...options, detokenizer })) {
    if (text !== '') yield text;
  }
}
