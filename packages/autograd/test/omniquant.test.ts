/** The published training of one decoder layer, in its published quantisers: first gradients, then the losses. */
import { createReferenceBackend, createRunner, type DeviceTensor } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { readGolden } from '@spikellm/golden';
import { describe, expect, it } from 'vitest';
import { createAdamW } from '../src/index.ts';
import { createLayer, trainedParameters } from './layer.ts';

const { cases } = readGolden('omniquant_layer');

describe.each(cases.map((golden) => [golden.tag, golden] as const))('%s', (_, golden) => {
  describe.each([
    ['reference', createReferenceBackend],
    ['cpu', () => createCpuBackend({ threads: 2 })],
  ])('%s', (_name, createBackend) => {
    it('gives the first gradients', async () => {
      using backend = createBackend();
      const step = createLayer(createRunner(backend), golden)(0, trainedParameters(golden));
      using tape = step.tape;
      const gradients = tape.backward(...step.losses);
      for (const [name, parameter] of Object.entries(step.parameters)) {
        const want = golden.first_gradients[name].data;
        const got = (await backend.read(gradients.get(parameter)!)).data as Float32Array;
        const largest = Math.max(...want.map(Math.abs));
        expect(got).toHaveLength(want.length);
        want.forEach((value, i) => {
          const allowed = 1e-3 * Math.abs(value) + 1e-6 * largest;
          expect(Math.abs(got[i] - value), name).toBeLessThan(allowed);
        });
      }
    });

    it('gives the losses', async () => {
      using backend = createBackend();
      const layer = createLayer(createRunner(backend), golden);
      const parameters = trainedParameters(golden);
      const optimisers = Object.entries(parameters).map(([name, values]) => {
        const rate = name.endsWith('factor') ? golden.lwc_lr : golden.let_lr;
        return { name, rate, adam: createAdamW(values) };
      });
      const read = async (tensor: DeviceTensor) => (await backend.read(tensor)).data as Float32Array;
      for (const [epoch, losses] of golden.losses.entries()) {
        for (const [sample, want] of losses.entries()) {
          const step = layer(sample, parameters);
          using tape = step.tape;
          const perToken = await Promise.all(step.losses.map(({ tensor }) => read(tensor)));
          const loss = perToken.reduce((sum, y) => sum + y.reduce((a, b) => a + b, 0) / y.length, 0);
          expect(Math.abs(loss / want - 1)).toBeLessThan(epoch === 0 ? 1e-3 : 0.02);
          const gradients = tape.backward(...step.losses);
          for (const { name, rate, adam } of optimisers) {
            adam.step(await read(gradients.get(step.parameters[name])!), rate);
          }
        }
      }
    });
  });
});
