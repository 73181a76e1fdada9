import { SpikeError } from '@spikellm/backend';
import { createDigest, type ModelFolder } from '@spikellm/checkpoint';
import { cutWindows, PROTOCOLS, tokenise, type Perplexity } from '@spikellm/evaluation';
import { readText } from './text.ts';
import { windowOf } from './window.ts';

export interface TextOptions {
  readonly text?: string;
  readonly protocol: string;
  readonly window?: number;
  readonly maxWindows?: number;
  readonly skipWindows: number;
}

/** Reads a text by its protocol, before the model is opened; what comes back cuts it into windows of a model. */
export async function openText(file: string, options: TextOptions) {
  const protocol = PROTOCOLS[options.protocol];
  const { text, parts } = protocol.read(await readText(file), file);
  const { skipWindows, maxWindows = protocol.maxWindows } = options;

  return async (model: ModelFolder, say: (text: string) => void) => {
    const window = windowOf(model, options.window, say);
    const { ids, head } = tokenise(text, await model.tokenizer(), model.config);
    const windows = { window, maxWindows, skipWindows, head };
    cutWindows(ids, windows); // a short text is known before the model is loaded
    const read = {
      protocol: protocol.name,
      how: protocol.description,
      [protocol.unit]: parts,
      characters: text.length,
      tokens: ids.length,
      digest: digestOf(text),
      skipWindows,
      head: head ?? null,
    };
    return {
      ids,
      windows,
      read,
      lines: linesOf(`${protocol.name}: ${protocol.description}; ${parts} ${protocol.unit}`, read),
    };
  };
}

/** How the text was read, for people. */
const linesOf = (
  how: string,
  {
    tokens,
    characters,
    digest,
    head,
  }: {
    readonly tokens: number;
    readonly characters: number;
    readonly digest: string;
    readonly head: number | null;
  },
): string[] => [
  `read        ${how}`,
  `            ${tokens} tokens of ${characters} characters, ${digest}`,
  ...(head === null ? [] : [`            token ${head} at the head of each window`]),
];

/** Of the text as it was joined. */
function digestOf(text: string): string {
  const digest = createDigest('sha256');
  digest.update(text);
  return `sha256:${digest.hex()}`;
}

/** Errors: NOT_FINITE for a loss whose exponential is no number any more. */
export function checkFinite({ perplexity, nll }: Perplexity): void {
  if (Number.isFinite(perplexity)) return;
  throw new SpikeError('NOT_FINITE', {
    where: 'perplexity',
    expected: 'a mean loss below 709.78 nats per token, since perplexity is e to that power',
    received: `${nll} nats per token`,
    remedy:
      'look at this loss: a model of use has one below that of a guess, the logarithm of its vocabulary',
  });
}
