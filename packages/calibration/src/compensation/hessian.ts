/** What the inputs of linears say of errors in their weights, gathered while windows pass through a layer. */
import { createRunner, SpikeError } from '@spikellm/backend';
import { layerLinears, type LinearGroup } from '@spikellm/graph';
import type { Watcher } from '../watch.ts';

/** Names the linears of a group in errors and notices. */
export function describeGroup(index: number, linears: readonly { readonly name: string }[]): string {
  return `layer ${index}, ${linears.map(({ name }) => name.replace(/.*\./, '')).join(', ')}`;
}

/**
 * Watches what a group of linears reads: H = (2 / windows) sum over windows of x^T x, float32 [C, C].
 * Errors: NOT_FINITE at the first window whose inputs are not finite, naming the layer, the linears and the sample.
 */
export const watchHessian =
  (group: LinearGroup): Watcher<Float32Array> =>
  (backend, config, index) => {
    const members = layerLinears(config, index).filter((entry) => entry.group === group);
    const channels = members[0].inputs;
    const runner = createRunner(backend);
    const hessian = backend.allocate('float32', [channels, channels]);
    // A sum of its own, since reading the whole Hessian after every window would cost more than making it.
    const squares = backend.allocate('float32', [channels]);
    let windows = 0;
    return {
      taps: {
        linearInput(_, name, x) {
          if (name !== group) return;
          runner.run('gram_f32', { x, hessian });
          runner.run('column_dot_f32', { a: x, b: x, sum: squares });
        },
      },
      async endWindow(window) {
        windows += 1;
        const sums = (await backend.read(squares)).data as Float32Array;
        const channel = sums.findIndex((value) => !Number.isFinite(value));
        if (channel < 0) return;
        throw new SpikeError('NOT_FINITE', {
          where: describeGroup(index, members),
          expected: 'finite inputs on the calibration text',
          received: `a sum of squares of ${sums[channel]} in channel ${channel}, since sample ${window}`,
          remedy: 'the model overflows on that sample: calibrate on another text or with another seed',
        });
      },
      async read() {
        const sums = (await backend.read(hessian)).data as Float32Array;
        // In place: a copy would stand beside it until garbage is collected.
        for (let i = 0; i < sums.length; i++) sums[i] *= 2 / windows;
        return sums;
      },
      [Symbol.dispose]() {
        hessian.dispose();
        squares.dispose();
        runner.dispose();
      },
    };
  };
