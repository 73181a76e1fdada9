/** Salient channels of a checkpoint: two tensors, channels and their steps, beside what they belong to. */
import { gatherOrder, SpikeError, type HostTensor } from '@spikellm/backend';
import { hostTensor } from './host-tensor.ts';
import { readIntegers, type TensorSource } from './tensors.ts';

/** The classes of steps that occur, with 1 always among them. */
export function stepClasses(...all: readonly Uint8Array[]): number[] {
  const found = new Set([1]);
  for (const steps of all) for (const T of steps) found.add(T);
  return [...found].toSorted((a, b) => a - b);
}

/** Names of the tensors that list salient channels and their steps. */
export const salientNames = (prefix: string) => ({
  channels: `${prefix}.salient_channels`,
  steps: `${prefix}.salient_steps`,
});

/** Steps of each of `channels` channels: 1, or what the salient lists say. Errors: SHAPE, DTYPE, INVALID_ARGUMENT. */
export async function readSteps(
  source: TensorSource,
  prefix: string,
  channels: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const steps = new Uint8Array(channels).fill(1);
  const names = salientNames(prefix);
  const count = source.info(names.channels)?.shape[0];
  if (count === undefined) return steps;
  const salient = (await readIntegers(source, names.channels, 'int32', [count], signal)).data as Int32Array;
  const given = (await readIntegers(source, names.steps, 'uint8', [count], signal)).data as Uint8Array;
  salient.forEach((channel, i) => {
    if (channel < 0 || channel >= channels) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: names.channels,
        expected: `channels from 0 to ${channels - 1}`,
        received: String(channel),
      });
    }
    if (![2, 4, 8, 16].includes(given[i])) {
      throw new SpikeError('INVALID_ARGUMENT', {
        where: names.steps,
        expected: 'steps among 2, 4, 8, 16',
        received: String(given[i]),
      });
    }
    steps[channel] = given[i];
  });
  return steps;
}

/** The salient channels of `steps` as the two tensors of a checkpoint; empty where no channel is salient. */
export function salientTensors(prefix: string, steps: Uint8Array): [string, HostTensor][] {
  const order = gatherOrder(steps);
  const channels = order.filter((channel) => steps[channel] > 1).toSorted();
  if (channels.length === 0) return [];
  const names = salientNames(prefix);
  const own = Uint8Array.from(channels, (channel) => steps[channel]);
  return [
    [names.channels, hostTensor('int32', channels)],
    [names.steps, hostTensor('uint8', own)],
  ];
}
