/** What the inputs of linears say of errors in their weights, gathered while windows pass through a layer. */
import { createRunner, SpikeError, type Backend, type DeviceTensor } from '@spikellm/backend';
import type { Taps } from '@spikellm/graph';

/** A sum over windows of x^T x, [C, C]. */
export interface HessianProbe extends Disposable {
  /** Adds the inputs x [N, C] of one window. */
  observe(x: DeviceTensor): void;
  /** To be called after each window. Errors: NOT_FINITE, naming the linear, the sample and the channel. */
  check(window: number): Promise<void>;
  /** H = (2 / windows) sum of x^T x, float32 [C, C]. */
  read(): Promise<Float32Array>;
}

/** @param where - names the layer and its linears in errors */
export function createHessianProbe(backend: Backend, channels: number, where: string): HessianProbe {
  const runner = createRunner(backend);
  const sum = backend.allocate('float32', [channels, channels]);
  // A sum of its own, since reading the whole Hessian after every window would cost more than making it.
  const squares = backend.allocate('float32', [channels]);
  let windows = 0;
  return {
    observe(x) {
      runner.run('gram_f32', { x, hessian: sum });
      runner.run('column_dot_f32', { a: x, b: x, sum: squares });
      windows += 1;
    },
    async check(window) {
      const { data } = await backend.read(squares);
      const channel = (data as Float32Array).findIndex((value) => !Number.isFinite(value));
      if (channel < 0) return;
      throw new SpikeError('NOT_FINITE', {
        where,
        expected: 'finite inputs on the calibration text',
        received: `${data[channel] as number} as the sum of squares of channel ${channel} after sample ${window}`,
        remedy: 'the float model overflows on that sample: leave it out, or take another text',
      });
    },
    async read() {
      const { data } = await backend.read(sum);
      return (data as Float32Array).map((value) => (2 / windows) * value);
    },
    [Symbol.dispose]() {
      sum.dispose();
      squares.dispose();
      runner.dispose();
    },
  };
}

/** Taps that hand one group's inputs to a probe. */
export const tapsOf = (probe: HessianProbe, group: string): Taps => ({
  linearInput(_, name, x) {
    if (name === group) probe.observe(x);
  },
});
