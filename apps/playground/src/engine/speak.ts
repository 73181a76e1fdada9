/**
 * Both models continue one prompt, token by token in turn. Over each text runs the other model too, on the same tokens, so
 * that at every token there are the expectations of both.
 */
import { SpikeError } from '@spikellm/backend';
import type { TextTokenizer } from '@spikellm/checkpoint';
import { createSampler, type Decoder, type KvCache } from '@spikellm/graph';
import { divergenceOf, largest, logProbabilities } from './likelihood.ts';
import {
  SIDES,
  type Candidate,
  type Ending,
  type Expectation,
  type Reply,
  type Side,
  type SpeakRequest,
  type SpokenText,
  type SpokenToken,
} from './reply.ts';
import type { Workbench } from './workbench.ts';

const SHOWN = 5;
/** Tokens are told together, about once a frame. */
const TELL_EVERY_MS = 16;

type Decoders = Readonly<Record<Side, Decoder>>;
type Spell = (id: number) => string;

export const speakOf = (workbench: Workbench) => ({
  /**
   * Lets both models continue a prompt; tells `spoken` on the way. A text that was stopped is a text.
   * Errors: MISSING without a spiking model, INVALID_ARGUMENT for the prompt or an option, NOT_FINITE.
   */
  speak: (request: SpeakRequest): Promise<Reply> =>
    workbench.work('speaking', async (signal) => {
      const { tokenizer } = workbench.model('float');
      const promptIds = tokenizer.encode(request.prompt);
      const decoders = {
        float: await workbench.decoder('float', signal),
        spiking: await workbench.decoder('spiking', signal),
      };
      const { contextLength } = decoders.float.config;
      checkPrompt(promptIds, contextLength);
      const most = Math.min(request.maxTokens, contextLength - promptIds.length);
      const full: Ending = most < request.maxTokens ? 'context' : 'length';
      const spell = createSpelling(tokenizer);
      const voices = SIDES.map((side) => createVoice(side, decoders, promptIds, most, request, tokenizer));
      try {
        let told = performance.now();
        for (let drawn = 0; drawn < most; drawn++) {
          const speaking = voices.filter(({ ending }) => ending === undefined);
          if (speaking.length === 0) break;
          await advance(speaking, decoders, spell, signal);
          if (performance.now() - told < TELL_EVERY_MS) continue;
          told = performance.now();
          for (const voice of speaking) tellNew(workbench, voice);
        }
        for (const voice of voices) voice.ending ??= full;
      } catch (error) {
        if (!signal.aborted) throw error;
        for (const voice of voices) voice.ending ??= 'stopped';
      } finally {
        for (const { caches } of voices) for (const side of SIDES) caches[side].dispose();
      }
      const [float, spiking] = voices.map(textOf);
      return { promptIds, texts: { float, spiking } };
    }),
});

/** Errors: INVALID_ARGUMENT where nothing is there to continue, or no room for what follows. */
function checkPrompt(ids: readonly number[], contextLength: number): void {
  if (ids.length > 0 && ids.length < contextLength) return;
  throw new SpikeError('INVALID_ARGUMENT', {
    where: 'prompt',
    expected: `1 to ${contextLength - 1} tokens, the context of the model less one`,
    received: String(ids.length),
    remedy: 'shorten it',
  });
}

/** One text under way. */
interface Voice {
  readonly side: Side;
  /** Of both models, over this text. */
  readonly caches: Readonly<Record<Side, KvCache>>;
  readonly sample: (logits: Float32Array) => number;
  /** Takes the ids of the text one by one, gives their text. */
  readonly push: (id: number) => string;
  /** What is left of the text at its end. */
  readonly rest: () => string;
  readonly tokens: SpokenToken[];
  told: number;
  /** What the caches have not seen yet. */
  next: readonly number[];
  /** Times of the first and the last token. */
  began: number;
  spoke: number;
  ending: Ending | undefined;
}

function createVoice(
  side: Side,
  decoders: Decoders,
  prompt: readonly number[],
  most: number,
  { sampling }: SpeakRequest,
  tokenizer: TextTokenizer,
): Voice {
  const stream = tokenizer.stream();
  for (const id of prompt) stream.push(id);
  const sample = createSampler(sampling);
  const capacity = prompt.length + most;
  return {
    side,
    caches: {
      float: decoders.float.createCache(capacity),
      spiking: decoders.spiking.createCache(capacity),
    },
    sample,
    push: (id) => stream.push(id),
    rest: () => stream.end(),
    tokens: [],
    told: 0,
    next: prompt,
    began: 0,
    spoke: 0,
    ending: undefined,
  };
}

/** One token of each text: all passes are under way before the first is waited for. */
async function advance(
  voices: readonly Voice[],
  decoders: Decoders,
  spell: Spell,
  signal: AbortSignal,
): Promise<void> {
  const passes = voices.flatMap((voice) =>
    SIDES.map((side) => decoders[side].forward(voice.next, voice.caches[side], { logits: 'last', signal })),
  );
  try {
    const read = await Promise.all(
      passes.map(async (logits) => {
        const { data } = await decoders.float.backend.read(logits, { signal });
        return data as Float32Array;
      }),
    );
    voices.forEach((voice, i) => {
      hear(voice, { float: read[2 * i], spiking: read[2 * i + 1] }, decoders.float.config.endTokens, spell);
    });
  } finally {
    for (const logits of passes) logits.dispose();
  }
}

/** Draws the next token of a text. */
function hear(
  voice: Voice,
  logits: Readonly<Record<Side, Float32Array>>,
  endTokens: readonly number[],
  spell: Spell,
): void {
  const { side, tokens, sample, push } = voice;
  const id = sample(logits[side]);
  const logs = { float: logProbabilities(logits.float), spiking: logProbabilities(logits.spiking) };
  const divergence = divergenceOf(logs.float, logs.spiking);
  if (!Number.isFinite(divergence)) {
    throw new SpikeError('NOT_FINITE', {
      where: 'speak',
      expected: 'finite logits',
      received: `a divergence of ${divergence} after ${tokens.length} tokens`,
      remedy: 'take another model or other settings',
    });
  }
  if (endTokens.includes(id)) {
    voice.ending = 'end';
    return;
  }
  const expectation = (of: Float64Array): Expectation => ({
    probability: Math.exp(of[id]),
    likeliest: largest(of, SHOWN).map((other): Candidate => ({
      id: other,
      text: spell(other),
      probability: Math.exp(of[other]),
    })),
  });
  tokens.push({
    id,
    text: push(id),
    divergence,
    expected: { float: expectation(logs.float), spiking: expectation(logs.spiking) },
  });
  voice.next = [id];
  voice.spoke = performance.now();
  if (tokens.length === 1) voice.began = voice.spoke;
}

function tellNew(workbench: Workbench, voice: Voice): void {
  const { side, tokens, told, began, spoke } = voice;
  if (tokens.length === told) return;
  workbench.tell({
    kind: 'spoken',
    side,
    from: told,
    tokens: tokens.slice(told),
    seconds: (spoke - began) / 1000,
  });
  voice.told = tokens.length;
}

function textOf({ tokens, began, spoke, ending, rest }: Voice): SpokenText {
  const last = tokens.at(-1);
  const whole = last ? [...tokens.slice(0, -1), { ...last, text: last.text + rest() }] : tokens;
  return { tokens: whole, seconds: (spoke - began) / 1000, ending: ending! };
}

/** The text that an id has within a text: a tokenizer may drop the space before the first. */
function createSpelling(tokenizer: TextTokenizer): Spell {
  const [anchor] = tokenizer.encode('a').slice(-1);
  const before = tokenizer.decode([anchor]).length;
  const known = new Map<number, string>();
  return (id) => {
    let text = known.get(id);
    if (text === undefined) {
      text = tokenizer.decode([anchor, id]).slice(before);
      known.set(id, text);
    }
    return text;
  };
}
