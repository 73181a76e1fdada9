/** Work of a second and more on the native backend stops when its signal says so, and leaves the backend as it was. */
import { access, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Backend, HostTensor } from '@spikellm/backend';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { DEFAULT_SETTINGS, quantize } from '@spikellm/calibration';
import type { ModelFolder } from '@spikellm/checkpoint';
import { perplexity } from '@spikellm/evaluation';
import {
  generateTokens,
  globalWeights,
  layerWeights,
  loadDecoder,
  parseModel,
  type Decoder,
} from '@spikellm/graph';
import { expect, it } from 'vitest';

const VOCABULARY = 64;
/** Milliseconds between an abort and the rejection. */
const AT_ONCE = 100;

/** A float model without a file: weights are small numbers that look random. */
function syntheticModel(hidden: number, layers: number, context: number) {
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hidden,
    intermediate_size: 3 * hidden,
    num_hidden_layers: layers,
    num_attention_heads: hidden / 64,
    num_key_value_heads: hidden / 64,
    vocab_size: VOCABULARY,
    max_position_embeddings: context,
    tie_word_embeddings: true,
  };
  const model = parseModel(config);
  const entries = [...globalWeights(model), ...model.layers.flatMap(layerWeights)];
  const shapes = new Map(entries.map(({ name, shape }) => [name, shape]));
  const tensors = {
    names: () => shapes.keys(),
    info: (name: string) => (shapes.has(name) ? { dtype: 'float32', shape: shapes.get(name)! } : undefined),
    async read(name: string): Promise<HostTensor> {
      const dims = shapes.get(name)!;
      const data = new Float32Array(dims.reduce((size, dim) => size * dim, 1));
      for (let i = 0, x = name.length; i < data.length; i++) {
        x = (Math.imul(x, 1103515245) + 12345) & 0x7fffffff;
        data[i] = (x / 2 ** 30 - 1) / Math.sqrt(hidden);
      }
      return { type: 'float32', data, dims, location: 'cpu' } as HostTensor;
    },
  };
  return { config, tensors: tensors as unknown as ModelFolder['tensors'] };
}

const tokens = (count: number): number[] => Array.from({ length: count }, (_, i) => (i * 37) % VOCABULARY);

/** Begins work, aborts it after `delay` ms, and says how long it then took to reject with the signal's reason. */
async function timeToStop(delay: number, begin: (signal: AbortSignal) => Promise<unknown>): Promise<number> {
  const stop = new AbortController();
  const reason = new Error('enough');
  const work = begin(stop.signal).then(
    () => 'finished',
    (error: unknown) => error,
  );
  await sleep(delay);
  const began = performance.now();
  stop.abort(reason);
  expect(await work).toBe(reason);
  return performance.now() - began;
}

/** One thread, so that the work is long on every machine. */
async function withDecoder(body: (decoder: Decoder, backend: Backend) => Promise<void>): Promise<void> {
  using backend = createCpuBackend({ threads: 1 });
  using decoder = await loadDecoder({ ...syntheticModel(1024, 2, 1024), backend });
  await body(decoder, backend);
}

it('a long prefill leaves the event loop alone, stops at once, and then gives what it gave before', () =>
  withDecoder(async (decoder, backend) => {
    using cache = decoder.createCache(768);
    const prefill = async (signal?: AbortSignal): Promise<Float32Array> => {
      cache.reset();
      using logits = decoder.forward(tokens(768), cache, { logits: 'last', signal });
      return (await backend.read(logits, { signal })).data as Float32Array;
    };
    let gap = 0;
    let last = performance.now();
    const tick = (): void => {
      gap = Math.max(gap, performance.now() - last);
      last = performance.now();
    };
    const interval = setInterval(tick, 5);
    const began = performance.now();
    const before = await prefill();
    const whole = performance.now() - began;
    tick();
    clearInterval(interval);
    expect(gap).toBeLessThan(whole / 4);

    const live = backend.liveBytes;
    const stopped = await timeToStop(50, prefill);
    expect(stopped).toBeLessThan(Math.min(AT_ONCE, whole / 2));
    expect(backend.liveBytes).toBe(live);
    expect(await prefill()).toEqual(before);
  }));

it('generation and perplexity stop at once and leave nothing alive', () =>
  withDecoder(async (decoder, backend) => {
    const live = backend.liveBytes;
    const generating = await timeToStop(30, (signal) =>
      generateTokens(decoder, tokens(768), { signal, maxTokens: 1 }).next(),
    );
    const measuring = await timeToStop(30, (signal) =>
      perplexity(decoder, tokens(768), { window: 768, signal }),
    );
    expect([generating < AT_ONCE, measuring < AT_ONCE]).toEqual([true, true]);
    expect(backend.liveBytes).toBe(live);
  }));

it('a calibration stops at once and can be resumed', async () => {
  using backend = createCpuBackend({ threads: 1 });
  const folder = await mkdtemp(join(tmpdir(), 'spikellm-abort-'));
  const model = { ...syntheticModel(512, 2, 512), path: folder } as unknown as ModelFolder;
  const out = join(folder, 'out');
  const windows = [tokens(384), tokens(384).toReversed()];
  const run = (resume: boolean, signal?: AbortSignal, onCalibrate = () => {}): Promise<void> =>
    quantize({
      model,
      out,
      backend,
      settings: DEFAULT_SETTINGS,
      windows,
      resume,
      ...(signal && { signal }),
      onProgress: ({ phase }) => phase === 'calibrate' && onCalibrate(),
    });
  try {
    let begun = (): void => {};
    const calibrating = new Promise<void>((resolve) => (begun = resolve));
    const stop = new AbortController();
    const work = run(false, stop.signal, () => begun()).catch((error: unknown) => error);
    await Promise.race([calibrating, work]);
    await sleep(20);
    const began = performance.now();
    stop.abort(new Error('enough'));
    expect(await work).toBe(stop.signal.reason);
    expect(performance.now() - began).toBeLessThan(AT_ONCE);
    expect(backend.liveBytes).toBe(0);
    await run(true);
    await access(join(out, 'config.json'));
  } finally {
    await rm(folder, { recursive: true });
  }
});
