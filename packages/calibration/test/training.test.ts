/** Training layer after layer: what the run leaves on disk, and what it does with numbers that are not finite. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type HostTensor } from '@spikellm/backend';
import { openModelFolder } from '@spikellm/checkpoint';
import { inputSites, parseModel, readLayer } from '@spikellm/graph';
import { describe, expect, it } from 'vitest';
import {
  createStream,
  DEFAULT_SETTINGS,
  defaultsOf,
  initialParameters,
  trainLayer,
  TRAINING_FIELDS,
  uniformSteps,
  type ActivationStream,
  type QuantizeOptions,
  type QuantizeSettings,
} from '../src/index.ts';
import { namedParameters } from '../src/training/tape-layer.ts';
import { TINY_CONFIG, tinyWindows } from './tiny-model.ts';
import { contents, tinyRuns } from './tiny-runs.ts';

const graph = parseModel(TINY_CONFIG);
const [layer] = graph.layers;
const windows = tinyWindows(3, 40);
const SETTINGS: QuantizeSettings = { ...DEFAULT_SETTINGS, pipeline: 'omniquant', options: { epochs: 2 } };
const training = { ...defaultsOf(TRAINING_FIELDS), epochs: 1 };

const { folder, source, backend, run } = tinyRuns(windows, SETTINGS);

describe('a run', () => {
  it('writes the same with activations in memory and on disk', async () => {
    const inMemory = await run('in memory');
    const used: string[] = [];
    const onProgress = (): void => {
      const state = join(folder, 'on disk.partial', '.resume');
      if (existsSync(join(state, 'quantised.stream'))) used.push('quantised');
    };
    expect(await contents(await run('on disk', {}, { memory: 0, onProgress }))).toEqual(
      await contents(inMemory),
    );
    expect(used).not.toEqual([]);
  });

  it('keeps its losses on disk as it goes, and what is left of its updates', async () => {
    const stop = new AbortController();
    const seen: number[] = [];
    const stopped = run(
      'logged',
      {},
      {
        signal: stop.signal,
        onProgress({ phase, done, total }) {
          if (phase !== 'train') return;
          seen.push(done);
          expect(total).toBe(3 * 2 * 3);
          if (done === 10) stop.abort();
        },
      },
    );
    await expect(stopped).rejects.toThrow('aborted');
    expect(seen).toEqual(Array.from({ length: 10 }, (_, i) => i + 1));
    const log = JSON.parse(await readFile(join(folder, 'logged.partial', 'training_log.json'), 'utf8'));
    expect(log).toEqual([
      { layer: 0, losses: [expect.any(Number), expect.any(Number)] },
      { layer: 1, losses: [expect.any(Number)] },
    ]);
    const path = await run('logged', {}, { resume: true });
    const whole = JSON.parse(await readFile(join(path, 'training_log.json'), 'utf8'));
    expect(whole.slice(0, 1)).toEqual(log.slice(0, 1));
    expect(whole.map(({ losses }: { losses: number[] }) => losses.length)).toEqual([2, 2, 2]);
  });

  it('goes over finished layers forward only', async () => {
    const stop = new AbortController();
    const options = { signal: stop.signal };
    const onProgress: QuantizeOptions['onProgress'] = ({ phase, done }) => {
      if (phase === 'train' && done === 13) stop.abort();
    };
    await expect(run('forward', {}, { ...options, onProgress })).rejects.toThrow('aborted');
    const trained: number[] = [];
    await run(
      'forward',
      {},
      { resume: true, onProgress: (p) => p.training && trained.push(p.training.layer) },
    );
    expect(new Set(trained)).toEqual(new Set([2]));
  });

  it('starts from the scales that the settings say', async () => {
    const published = await run('published', {
      options: { epochs: 2, initialScales: 'published' },
    });
    expect(await contents(published)).not.toEqual(await contents(await run('all')));
  });
});

describe('a value that is not finite', () => {
  const length = 40;
  const dims = [length, graph.config.hiddenSize] as const;
  const random = (seed: number) =>
    Float32Array.from({ length: dims[0] * dims[1] }, (_, i) => Math.sin(seed + i * 1.7));

  async function stream(name: string): Promise<ActivationStream> {
    const made = await createStream({ backend, dims, resident: 2, folder, name });
    for (const window of [0, 1]) {
      const x = backend.upload({ type: 'float32', dims, data: random(window) });
      await made.set(window, x);
    }
    return made;
  }

  /** Trains one epoch on two windows; some uses of the target are infinite. Returns parameters after each update. */
  async function train(infinite: (use: number) => boolean, what: 'target' | 'input' = 'target') {
    await using model = await openModelFolder(source);
    const weights = await readLayer(model.tensors, layer);
    const absmax = Object.fromEntries(
      inputSites(layer).map(({ name, channels }) => [name, new Float64Array(channels).fill(2)]),
    );
    const parameters = initialParameters(weights, layer, absmax, training);
    const [inputs, target] = [await stream('inputs'), await stream('target')];
    let uses = 0;
    const failing = (from: ActivationStream): ActivationStream => ({
      ...from,
      use(window, body) {
        if (!infinite(uses++)) return from.use(window, body);
        const bad: HostTensor = { type: 'float32', dims, data: new Float32Array(640).fill(Infinity) };
        using x = backend.upload(bad);
        return body(x);
      },
    });
    const losses: number[] = [];
    try {
      await trainLayer({
        backend,
        graph,
        layer,
        weights,
        steps: uniformSteps(layer, SETTINGS, 1),
        settings: SETTINGS,
        training,
        parameters,
        length,
        windows: 2,
        inputs: what === 'input' ? failing(inputs) : inputs,
        targets: [what === 'target' ? failing(target) : target],
        where: 'layer 7',
        onStep: (loss) => losses.push(loss),
      });
    } finally {
      for (const each of [inputs, target]) await each[Symbol.asyncDispose]();
    }
    return { losses, parameters: namedParameters(parameters) };
  }

  it('takes back the last update and goes on at half the rates', async () => {
    const plain = await train(() => false);
    const once = await train((use) => use === 1);
    // The second window is tried again from where training began, so its loss is another.
    expect(once.losses).toHaveLength(2);
    expect(once.losses[0]).toBe(plain.losses[0]);
    expect(once.losses[1]).not.toBe(plain.losses[1]);
    const start = 4; // of clipping factors
    const moved = (upper: Float32Array): number => Math.max(...upper.map((value) => Math.abs(value - start)));
    const name = 'mlp.down_proj.upper';
    expect(moved(once.parameters.get(name)!)).toBeGreaterThan(0);
    expect(moved(once.parameters.get(name)!)).toBeLessThan(0.6 * 2 * training.clippingRate);
    expect(moved(plain.parameters.get(name)!)).toBeGreaterThan(1.5 * training.clippingRate);
  });

  it('stops the second time, and names layer, step and tensor', async () => {
    const message = (tensor: string): string =>
      `layer 7, epoch 1, window 2: expected a finite loss and gradients, received Infinity in ${tensor}; train with lower rates, or inspect the weights and the calibration text.`;
    await expect(train((use) => use >= 1)).rejects.toThrow(message("the float layer's output"));
    await expect(train((use) => use >= 1, 'input')).rejects.toThrow(message("the layer's input"));
    await expect(train((use) => use === 1 || use === 2)).rejects.toThrow(message('the loss'));
  });

  it('stops at once where there is no update to take back', async () => {
    await expect(train(() => true)).rejects.toThrow('layer 7, epoch 1, window 1: ');
  });
});
