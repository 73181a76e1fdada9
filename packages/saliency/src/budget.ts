import { SpikeError } from '@spikellm/backend';

/** What more steps would bring to the channels of one linear. */
export interface StepGains {
  /** Outputs of the linear: one more step of one channel costs as many operations per token. */
  readonly outputs: number;
  /** By number of steps T > 1: the gain of each channel over one step, [C]; any unit, the same for all linears. */
  readonly gains: ReadonlyMap<number, ArrayLike<number>>;
}

interface Upgrade {
  readonly linear: number;
  readonly channel: number;
  readonly steps: number;
  readonly cost: number;
  readonly gain: number;
}

/**
 * Spike steps under one budget for the whole model: upgrades of single channels are bought by falling gain per
 * operation until none that is left fits. Channels whose steps bring nothing keep one.
 *
 * @param budget - extra operations per token, sum over channels of outputs * (T - 1)
 * @returns steps of each channel of each linear
 * Errors: INVALID_ARGUMENT (budget), NOT_FINITE (gains)
 */
export function allocateBudget(linears: readonly StepGains[], budget: number): Uint8Array[] {
  if (!(budget >= 0)) {
    throw new SpikeError('INVALID_ARGUMENT', {
      where: 'step budget',
      expected: 'a number of operations of 0 or more',
      received: String(budget),
    });
  }
  const steps = linears.map(({ gains }) => {
    const [first] = gains.values();
    return new Uint8Array(first?.length ?? 0).fill(1);
  });
  const upgrades = linears.flatMap((gains, linear) => linearUpgrades(gains, linear, steps[linear].length));
  upgrades.sort((a, b) => b.gain / b.cost - a.gain / a.cost || a.linear - b.linear || a.channel - b.channel);
  const stuck = steps.map((channels) => new Uint8Array(channels.length));
  let left = budget;
  for (const { linear, channel, steps: T, cost } of upgrades) {
    // A channel whose smaller upgrade did not fit must not take the difference to a larger one.
    if (cost > left || stuck[linear][channel] === 1) {
      stuck[linear][channel] = 1;
      continue;
    }
    steps[linear][channel] = T;
    left -= cost;
  }
  return steps;
}

function linearUpgrades(gains: StepGains, linear: number, channels: number): Upgrade[] {
  const upgrades: Upgrade[] = [];
  for (let channel = 0; channel < channels; channel++) {
    upgrades.push(...channelUpgrades(gains, linear, channel));
  }
  return upgrades;
}

/**
 * The upgrades of one channel along the upper concave hull of gain over cost: each is worth less per operation than
 * the one before, so buying by falling worth never takes a later one first.
 */
function channelUpgrades({ outputs, gains }: StepGains, linear: number, channel: number): Upgrade[] {
  const hull: { steps: number; gain: number }[] = [{ steps: 1, gain: 0 }];
  const slope = (a: { steps: number; gain: number }, b: { steps: number; gain: number }): number =>
    (b.gain - a.gain) / (b.steps - a.steps);
  for (const T of [...gains.keys()].toSorted((a, b) => a - b)) {
    const point = { steps: T, gain: gains.get(T)![channel] };
    if (!Number.isFinite(point.gain)) {
      throw new SpikeError('NOT_FINITE', {
        where: 'step gains',
        expected: 'finite gains',
        received: `${point.gain} for ${T} steps of channel ${channel} of linear ${linear}`,
      });
    }
    while (hull.length > 1 && slope(hull.at(-2)!, hull.at(-1)!) <= slope(hull.at(-2)!, point)) hull.pop();
    if (slope(hull.at(-1)!, point) > 0) hull.push(point);
  }
  return hull.slice(1).map((point, i) => ({
    linear,
    channel,
    steps: point.steps,
    cost: outputs * (point.steps - hull[i].steps),
    gain: point.gain - hull[i].gain,
  }));
}
