/** What is said in this room, and what is looked at. It outlives the room's being left for another. */
import { batch, computed, effect, signal, type ReadonlySignal } from '@preact/signals';
import type { OperationReport, TokenSpikes } from '@spikellm/evaluation';
import {
  ask,
  ensureSpiking,
  isStopped,
  listen,
  model,
  ready,
  sentenceOf,
  spiking,
  stop,
} from '../../engine/client.ts';
import type { EngineMemory } from '../../engine/inspect.ts';
import type { Ending, Side, SpokenToken } from '../../engine/reply.ts';
import { energyTable, wanted } from './options.ts';

/** A text as far as it is there. */
export interface ShownText {
  readonly tokens: readonly SpokenToken[];
  readonly seconds: number;
  /** Undefined while it is spoken. */
  readonly ending: Ending | undefined;
}

export interface Conversation {
  /** Replies so far, this one included. */
  readonly number: number;
  readonly prompt: string;
  /** Empty until the texts have ended. */
  readonly promptIds: readonly number[];
  readonly texts: Readonly<Record<Side, ShownText>>;
}

/** A token of one of the texts. */
export interface Place {
  readonly side: Side;
  readonly index: number;
}

export interface SeenSpikes {
  readonly place: Place;
  readonly inputs: readonly TokenSpikes[];
}

export interface Cost {
  readonly table: typeof energyTable.value;
  /** Of the prompt and the reply. */
  readonly tokens: Readonly<Record<Side, number>>;
  readonly reports: Readonly<Record<Side, OperationReport>>;
  readonly memory: EngineMemory;
}

export type Phase = 'rest' | 'preparing' | 'speaking';

let replies = 0;
const NOTHING: ShownText = { tokens: [], seconds: 0, ending: undefined };

export const phase = signal<Phase>('rest');
export const conversation = signal<Conversation | undefined>(undefined);
/** One sentence on what went wrong. */
export const trouble = signal<string | undefined>(undefined);
/** The token under the pointer or the focus; it stays when they leave. */
export const place = signal<Place | undefined>(undefined);
export const spikes = signal<SeenSpikes | undefined>(undefined);
export const cost = signal<Cost | undefined>(undefined);

/** The token that is looked at. */
export const shown: ReadonlySignal<SpokenToken | undefined> = computed(() => {
  const { value: at } = place;
  return at && conversation.value?.texts[at.side].tokens[at.index];
});

/** Has both models go on with the prompt; makes the spiking one first where it is not there. */
export async function speak(): Promise<void> {
  const { prompt } = wanted.peek();
  if (prompt.trim() === '') {
    trouble.value = 'Write a prompt first: a few words for the models to go on with.';
    return;
  }
  phase.value = 'preparing';
  trouble.value = undefined;
  try {
    await rest();
    await ensureSpiking();
    batch(() => {
      forget();
      const texts = { float: NOTHING, spiking: NOTHING };
      conversation.value = { number: ++replies, prompt, promptIds: [], texts };
      phase.value = 'speaking';
    });
    const request = { ...wanted.peek(), prompt };
    const { promptIds, texts } = await ask('speaking', (engine) => engine.speak(request));
    batch(() => {
      conversation.value = { number: replies, prompt, promptIds, texts };
      // Something to see before the reader points at anything.
      if (texts.spiking.tokens.length > 0) place.value ??= { side: 'spiking', index: 0 };
    });
  } catch (error) {
    if (!isStopped(error)) {
      trouble.value = sentenceOf(error);
      forget();
    } else {
      trouble.value = 'Stopped before the first token.';
    }
  } finally {
    phase.value = 'rest';
  }
}

/** Ends what is looked at, and waits until the worker is at rest. */
async function rest(): Promise<void> {
  if (ready.peek()) return;
  await stop();
  await new Promise<void>((resolve) => {
    const end = effect(() => {
      if (!ready.value) return;
      resolve();
      queueMicrotask(() => end());
    });
  });
}

function forget(): void {
  batch(() => {
    conversation.value = undefined;
    place.value = undefined;
    spikes.value = undefined;
    cost.value = undefined;
  });
}

// What other models said and cost is not true of these.
for (const replaced of [model, spiking]) {
  replaced.subscribe(() => {
    if (phase.peek() === 'rest') forget();
  });
}

listen((event) => {
  const { value: current } = conversation;
  if (event.kind !== 'spoken' || phase.value !== 'speaking' || current === undefined) return;
  const { side, from, tokens, seconds } = event;
  const before = current.texts[side].tokens;
  const text = { tokens: [...before.slice(0, from), ...tokens], seconds, ending: undefined };
  conversation.value = { ...current, texts: { ...current.texts, [side]: text } };
});
