import { describe, expect, it } from 'vitest';
import {
  atRest,
  gifNeuron,
  gifSequence,
  gifStep,
  halfLevel,
  hardReset,
  ifNeuron,
  ifSequence,
  ifStep,
  lifNeuron,
  lifSequence,
  lifStep,
  sequence,
  softReset,
  stateAt,
  ternaryNeuron,
  ternarySequence,
  ternaryStep,
  type Neuron,
  type NeuronState,
  type NeuronStep,
} from '../src/index.ts';

describe('trajectories that can be followed by hand', () => {
  it('IF, soft reset: 0.5 is there at the start, each step adds 0.375', () => {
    const { spikes, membranes, state } = ifSequence([0.375, 0.375, 0.375, 0.375], ifNeuron());
    // charged:                0.875 1.25  0.625 1
    expect(spikes).toEqual([0, 1, 0, 1]);
    expect(membranes).toEqual([0.875, 0.25, 0.625, 0]);
    expect(state).toEqual({ membrane: 0 });
  });

  it('IF, hard reset: the quarter above the threshold is lost', () => {
    const neuron = ifNeuron({ reset: hardReset });
    const { spikes, membranes } = ifSequence([0.375, 0.375, 0.375, 0.375], neuron);
    // charged:                0.875 1.25  0.375 0.75
    expect(spikes).toEqual([0, 1, 0, 0]);
    expect(membranes).toEqual([0.875, 0, 0.375, 0.75]);
  });

  it('LIF: half of the membrane leaks away at each step', () => {
    const { spikes, membranes } = lifSequence([0.75, 0.75, 0.75, 0.75, 0], lifNeuron({ decay: 0.5 }));
    // charged:                0.75  1.125  0.8125  1.15625  0.078125
    expect(spikes).toEqual([0, 1, 0, 1, 0]);
    expect(membranes).toEqual([0.75, 0.125, 0.8125, 0.15625, 0.078125]);
  });

  it('GIF: fires up to three levels of 2 each', () => {
    const neuron = gifNeuron({ levels: 3, threshold: 2 });
    const { spikes, membranes } = gifSequence([4.5, 8, -7, 1], neuron);
    // charged:                5.5  9.5  -3.5 -2.5
    expect(spikes).toEqual([2, 3, 0, 0]);
    expect(membranes).toEqual([1.5, 3.5, -3.5, -2.5]);
  });

  it('GIF charged once with a code spends it greedily', () => {
    const { spikes, membranes } = gifSequence([20, 0, 0], gifNeuron({ levels: 15 }));
    expect(spikes).toEqual([15, 5, 0]);
    expect(membranes).toEqual([5.5, 0.5, 0.5]);
  });

  it('ternary GIF: fires towards zero from both sides', () => {
    const { spikes, membranes } = ternarySequence([2.25, 0, 0, -3, 0], ternaryNeuron());
    // charged:                2.25 1.25 0.25 -2.75 -1.75
    expect(spikes).toEqual([1, 1, 0, -1, -1]);
    expect(membranes).toEqual([1.25, 0.25, 0.25, -1.75, -0.75]);
  });

  it('a sequence goes on from the state of another', () => {
    const neuron = ifNeuron({ threshold: 0.75 });
    const inputs = [0.5, 0.25, 0.625, 0.125, 0.5];
    const whole = ifSequence(inputs, neuron);
    const head = ifSequence(inputs.slice(0, 2), neuron);
    const tail = ifSequence(inputs.slice(2), neuron, head.state);
    expect([...head.spikes, ...tail.spikes]).toEqual(whole.spikes);
    expect([...head.membranes, ...tail.membranes]).toEqual(whole.membranes);
  });
});

describe('ties at the threshold', () => {
  it('IF and LIF fire at the threshold itself and not just below', () => {
    const below = 1 - 2 ** -53;
    const leaky = lifNeuron({ decay: 0.5 });
    expect(ifStep(1, atRest(), ifNeuron())).toEqual([1, { membrane: 0 }]);
    expect(ifStep(below, atRest(), ifNeuron())).toEqual([0, { membrane: below }]);
    expect(lifStep(0.5, stateAt(1), leaky)).toEqual([1, { membrane: 0 }]);
    expect(lifStep(below, atRest(), leaky)).toEqual([0, { membrane: below }]);
  });

  it.each([0.1, 1 / 3, 1, 0.7])(
    'GIF fires k at k thresholds of %s, though k theta / theta may round below k',
    (threshold) => {
      const neuron = gifNeuron({ levels: 255, threshold });
      for (let k = 0; k <= 255; k++) expect(gifStep(k * threshold, atRest(), neuron)[0]).toBe(k);
    },
  );

  it('GIF from half a level sends ±0.5, ±1.5, ±2.5 up, and never fires below zero', () => {
    const fired = (x: number) => gifStep(x, stateAt(0.5), gifNeuron({ levels: 15 }))[0];
    expect([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5].map(fired)).toEqual([0, 0, 0, 1, 2, 3]);
  });

  it('ternary GIF fires at half a threshold, below zero only beyond it', () => {
    const fired = (x: number) => ternaryStep(x, atRest(), ternaryNeuron({ threshold: 3 }))[0];
    expect([-1.75, -1.5, -1.25, 1.25, 1.5, 1.75].map(fired)).toEqual([-1, 0, 0, 0, 1, 1]);
  });

  it('ternary GIF sends ±0.5, ±1.5, ±2.5 up, and comes to rest', () => {
    const fired = (x: number) => ternarySequence([x, 0, 0, 0], ternaryNeuron());
    expect(fired(-2.5).spikes).toEqual([-1, -1, 0, 0]);
    expect(fired(-1.5).spikes).toEqual([-1, 0, 0, 0]);
    expect(fired(-0.5).spikes).toEqual([0, 0, 0, 0]);
    expect(fired(0.5).spikes).toEqual([1, 0, 0, 0]);
    expect(fired(1.5).spikes).toEqual([1, 1, 0, 0]);
    expect(fired(2.5).spikes).toEqual([1, 1, 1, 0]);
    for (const x of [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5]) expect(fired(x).state.membrane).toBe(-0.5);
  });
});

describe('neurons and states', () => {
  it('are frozen, with threshold 1 and soft reset unless said otherwise', () => {
    expect(ifNeuron()).toEqual({ threshold: 1, reset: softReset });
    expect(lifNeuron({ decay: 0.9 })).toEqual({ threshold: 1, reset: softReset, decay: 0.9 });
    expect(gifNeuron({ levels: 15, threshold: 2 })).toEqual({ threshold: 2, reset: softReset, levels: 15 });
    expect(ternaryNeuron({ reset: hardReset })).toEqual({ threshold: 1, reset: hardReset });
    const states = [ifStep(1, atRest(), ifNeuron())[1], halfLevel(ifNeuron({ threshold: 3 }))];
    expect(states).toEqual([{ membrane: 0 }, { membrane: 1.5 }]);
    const records = [
      ifNeuron(),
      lifNeuron({ decay: 1 }),
      gifNeuron({ levels: 1 }),
      ternaryNeuron(),
      ...states,
    ];
    for (const record of records) expect(Object.isFrozen(record)).toBe(true);
  });

  it('without leak, LIF is IF; with one level, GIF is IF', () => {
    const inputs = [0.3, 0.8, -0.2, 1.7, 0.4, 0];
    const expected = ifSequence(inputs, ifNeuron());
    expect(lifSequence(inputs, lifNeuron({ decay: 1 }), halfLevel(ifNeuron()))).toEqual(expected);
    expect(gifSequence(inputs, gifNeuron({ levels: 1 }))).toEqual(expected);
  });

  it('a step and an initial state make a sequence', () => {
    expect(sequence(ifStep, atRest)([0.5, 0.5], ifNeuron()).spikes).toEqual([0, 1]);
    const nothing = { spikes: [], membranes: [], states: [] };
    expect(ifSequence([], ifNeuron())).toEqual({ ...nothing, state: { membrane: 0.5 } });
  });

  it('a state may have more than a membrane: a threshold that rises with each spike, by hand', () => {
    interface Adaptive extends NeuronState {
      readonly adapted: number;
    }
    const step: NeuronStep<Neuron, Adaptive> = (input, { membrane, adapted }, { threshold, reset }) => {
      const [charged, limit] = [membrane + input, threshold + adapted];
      const spikes = charged >= limit ? 1 : 0;
      return [spikes, { membrane: reset(charged, spikes, limit), adapted: adapted / 2 + spikes }];
    };
    const adaptive = sequence(step, (): Adaptive => ({ membrane: 0, adapted: 0 }));
    const { spikes, membranes, states, state } = adaptive([1, 1, 1, 1], ifNeuron());
    // limits:              1  2  1.5  1.75
    // charged:             1  1  2    1.5
    expect(spikes).toEqual([1, 0, 1, 0]);
    expect(membranes).toEqual([0, 1, 0.5, 1.5]);
    expect(states.map(({ adapted }) => adapted)).toEqual([1, 0.5, 1.25, 0.625]);
    expect(state).toBe(states[3]);
    expect(() => adaptive([1], ifNeuron(), { membrane: 0, adapted: NaN })).toThrow(
      'sequence: expected the adapted to be a finite number, received NaN.',
    );
  });

  it('refuse what they cannot be', () => {
    expect(() => ifNeuron({ threshold: 0 })).toThrow(
      'ifNeuron: expected threshold to be a finite number above 0, received 0.',
    );
    expect(() => lifNeuron({ decay: 1.5 })).toThrow(
      'lifNeuron: expected decay to be above 0 and at most 1, received 1.5.',
    );
    expect(() => gifNeuron({ levels: 0.5 })).toThrow(
      'gifNeuron: expected levels to be a whole number from 1 to 65535, received 0.5.',
    );
    expect(() => ternaryNeuron({ threshold: Infinity })).toThrow(
      'ternaryNeuron: expected threshold to be a finite number above 0, received Infinity.',
    );
    expect(() => gifSequence([1, NaN], gifNeuron({ levels: 15 }))).toThrow(
      'sequence: expected input 1 to be a finite number, received NaN.',
    );
    expect(() => ifSequence([1], ifNeuron(), stateAt(NaN))).toThrow(
      'sequence: expected the membrane to be a finite number, received NaN.',
    );
  });
});
