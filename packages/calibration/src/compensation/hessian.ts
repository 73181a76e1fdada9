/** What the inputs of linears say of errors in their weights, gathered while windows pass through a layer. */
import { createRunner, SpikeError } from '@spikellm/backend';
import type { InputSite, LayerGraph } from '@spikellm/graph';
import type { Observe } from '../observers.ts';

/** Names the linears of a site in errors and notices. */
export const describeSite = ({ index }: LayerGraph, { readers }: InputSite): string =>
  `layer ${index}, ${readers.map(({ name }) => name.replace(/.*\./, '')).join(', ')}`;

/**
 * Watches what the linears of a site read: H = (2 / windows) sum over windows of x^T x, float32 [C, C].
 * Errors: NOT_FINITE at the first window whose inputs are not finite, naming the layer, the linears and the sample.
 */
export const observeHessian =
  (site: InputSite): Observe<Float32Array> =>
  (backend, layer) => {
    const { channels } = site;
    const runner = createRunner(backend);
    const hessian = backend.allocate('float32', [channels, channels]);
    // A sum of its own, since reading the whole Hessian after every window would cost more than making it.
    const squares = backend.allocate('float32', [channels]);
    let windows = 0;
    return {
      observers: {
        input(_, name, x) {
          if (name !== site.name) return;
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
          where: describeSite(layer, site),
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
