import type { TapeHooks, Value } from '@spikellm/autograd';
import type { DeviceTensor, Runner } from '@spikellm/backend';
import { hostTensor, type LayerGraph } from '@spikellm/graph';
import type { ChannelMoments } from '@spikellm/saliency';
import { prepareFakeQuantisation } from '../fake-quantisation.ts';
import type { CommonSettings } from '../settings/settings.ts';
import { uniformSteps } from '../steps.ts';
import type { StepSite } from './step-sites.ts';

/** By name of the step site. */
export type LayerMoments = ReadonlyMap<string, ChannelMoments>;

export interface Moments extends Disposable {
  /** Measures encoding errors of what passes, and makes its gradient known to `add`. */
  readonly carry: NonNullable<TapeHooks['carry']>;
  /** Adds the gradients that the tape found; the next forward pass is that of another window. */
  add(found: ReadonlyMap<Value, DeviceTensor>): void;
  read(): Promise<LayerMoments>;
}

export interface MomentsOptions {
  readonly layer: LayerGraph;
  readonly settings: CommonSettings;
  /** Tokens of a window. */
  readonly length: number;
  readonly sites: readonly StepSite[];
  readonly choices: readonly number[];
}

/** Sums over windows, on the device, for one layer. */
export function createMoments(runner: Runner, options: MomentsOptions): Moments {
  const { backend } = runner;
  const { length, sites } = options;
  const meters = sites.map((site) => createMeter(runner, options, site));
  const meterOf = new Map(
    sites.flatMap(({ name, linears }, i) =>
      (linears.length > 0 ? linears : [name]).map((passing) => [passing, meters[i]]),
    ),
  );
  /** What the present tape carries: linears that share a site read one value. */
  const carried = new Map<Meter, { readonly value: Value; readonly probe: Value }>();
  const mean = async (sum: DeviceTensor, tokens: number): Promise<Float64Array> =>
    Float64Array.from((await backend.read(sum)).data as Float32Array, (total) => total / tokens);
  let windows = 0;
  return {
    carry(tape, place, x) {
      const meter = meterOf.get(place);
      if (meter === undefined) return x;
      const known = carried.get(meter);
      if (known) return known.value;
      meter.observe(x.tensor);
      // The gradient by a zero that is added to x is that by x, for the readers of this site alone.
      const probe = tape.parameter(meter.zeros);
      const value = tape.add(x, probe);
      carried.set(meter, { value, probe });
      return value;
    },

    add(found) {
      for (const [{ squares }, { probe }] of carried) {
        const gradient = found.get(probe)!;
        runner.run('column_dot_f32', { a: gradient, b: gradient, sum: squares });
      }
      carried.clear();
      windows += 1;
    },

    async read() {
      const moments = new Map<string, ChannelMoments>();
      for (const [i, { squares, errors }] of meters.entries()) {
        const means = new Map<number, Float64Array>();
        for (const [T, sum] of errors) means.set(T, await mean(sum, windows * length));
        moments.set(sites[i].name, { gradients: await mean(squares, windows * length), errors: means });
      }
      return moments;
    },

    [Symbol.dispose]() {
      for (const { squares, errors } of meters)
        for (const sum of [squares, ...errors.values()]) sum.dispose();
    },
  };
}

interface Meter {
  /** [length, C]. */
  readonly zeros: DeviceTensor;
  /** Sums over tokens, [C]. */
  readonly squares: DeviceTensor;
  readonly errors: ReadonlyMap<number, DeviceTensor>;
  /** Adds what rounding x [length, C] with each number of steps does to it. */
  observe(x: DeviceTensor): void;
}

function createMeter(
  runner: Runner,
  { layer, settings, length, choices }: MomentsOptions,
  { name, linears, channels }: StepSite,
): Meter {
  const filled = (value: number, ...dims: number[]): DeviceTensor => {
    const size = dims.reduce((product, dim) => product * dim, 1);
    return runner.upload(hostTensor('float32', new Float32Array(size).fill(value), dims));
  };
  const roundings = choices.map((T) => {
    const steps = uniformSteps(layer, settings, T);
    const places = prepareFakeQuantisation(runner, { layer, settings, length, steps });
    const rounding = places.get(linears[0] ?? name)!;
    return { T, rounding, sum: runner.backend.allocate('float32', [channels]) };
  });
  /** Makes the gradient of the mean squared difference, 2 (y - x) / C, the difference. */
  const half = filled(channels / 2, length);
  return {
    zeros: filled(0, length, channels),
    squares: runner.backend.allocate('float32', [channels]),
    errors: new Map(roundings.map(({ T, sum }) => [T, sum])),
    observe: (x) =>
      runner.scope(() => {
        for (const { rounding, sum } of roundings) {
          const { y } = runner.apply(rounding.forward, { x });
          const { dx: difference } = runner.run('squared_error_backward_f32', { x: y, target: x, dy: half });
          runner.run('column_dot_f32', { a: difference, b: difference, sum });
        }
      }),
  };
}
