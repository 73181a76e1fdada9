/** Work for when the worker is at rest: what the texts cost, then the spikes of the token that is looked at. */
import { computed, effect } from '@preact/signals';
import { FLOAT_BITS } from '@spikellm/graph';
import { ask, isStopped, ready, sentenceOf, spiking } from '../../engine/client.ts';
import type { Side } from '../../engine/reply.ts';
import { energyTable } from './options.ts';
import {
  conversation,
  cost,
  phase,
  place,
  spikes,
  trouble,
  type Conversation,
  type Place,
} from './session.ts';

/** A pointer that passes over a line asks for nothing. */
const SETTLED_MS = 80;

/** Whether the activations of the spiking model are spikes. */
const sends = computed(() => (spiking.value?.config.activations.bits ?? FLOAT_BITS) < FLOAT_BITS);

/** What could not be looked at, and shall not be tried again. */
let failed: Conversation | undefined;

/**
 * Does one piece of work at a time, while nobody speaks. What is wanted is looked up anew whenever the worker comes to
 * rest, so that of many tokens under a moving pointer the latest is taken. Returns how to end that.
 */
export function followReader(): () => void {
  return effect(() => {
    const { value: said } = conversation;
    if (!ready.value || phase.value !== 'rest' || said === undefined || said === failed) return undefined;
    const { value: table } = energyTable;
    const { value: at } = place;
    let next: (() => Promise<void>) | undefined;
    if (cost.value?.table !== table) next = () => countCost(said);
    else if (at !== undefined && sends.value && spikes.value?.place !== at) next = () => readSpikes(said, at);
    if (next === undefined) return undefined;
    const timer = setTimeout(() => void next().catch((error: unknown) => fail(said, error)), SETTLED_MS);
    return () => clearTimeout(timer);
  });
}

function fail(said: Conversation, error: unknown): void {
  if (isStopped(error)) return;
  failed = said;
  trouble.value = sentenceOf(error);
}

const idsOf = ({ promptIds, texts }: Conversation, side: Side): number[] => [
  ...promptIds,
  ...texts[side].tokens.map(({ id }) => id),
];

async function countCost(said: Conversation): Promise<void> {
  const { value: table } = energyTable;
  const ids = { float: idsOf(said, 'float'), spiking: idsOf(said, 'spiking') };
  const result = await ask('counting operations', async (engine, signal) => {
    const float = await engine.operationsOf('float', ids.float, table);
    signal.throwIfAborted();
    const spoken = await engine.operationsOf('spiking', ids.spiking, table);
    return { float, spiking: spoken, memory: await engine.memory() };
  });
  const { memory, ...reports } = result;
  cost.value = { table, tokens: { float: ids.float.length, spiking: ids.spiking.length }, reports, memory };
}

async function readSpikes(said: Conversation, at: Place): Promise<void> {
  const ids = idsOf(said, at.side).slice(0, said.promptIds.length + at.index + 1);
  const inputs = await ask('reading spikes', (engine) => engine.spikesOf(ids));
  spikes.value = { place: at, inputs };
}
