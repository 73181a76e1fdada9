/** What ../bench.mjs measures in a page; it calls the functions of `bench` by their names. */
import { createWasmBackend, type WasmOptions } from '@spikellm/backend-wasm';
import {
  decodeRate,
  promptRate,
  spikingLinearRate,
  syntheticModel,
  weightStreamRate,
  type ShapeName,
} from '@spikellm/benchmark';
import { packedBytes, type Backend } from '@spikellm/backend';
import { loadDecoder, type Decoder } from '@spikellm/graph';
import { fetchDemoModel } from './demo-model.ts';
import { openRuntime, openWllama, type Peer } from './peers.ts';

interface Sizes {
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
}

const backends = new Map<string, Backend>();
async function backendOf(options: WasmOptions): Promise<Backend> {
  const key = JSON.stringify(options);
  const backend = backends.get(key) ?? (await createWasmBackend(options));
  backends.set(key, backend);
  return backend;
}
let decoder: Decoder | undefined;
const peers = new Map<string, Peer>();

const bench = {
  /** Milliseconds of one spiking linear; of one token with its encoding, over matrices beyond the caches. */
  async linear(options: WasmOptions, sizes: Sizes): Promise<number> {
    const backend = await backendOf(options);
    if (sizes.tokens > 1) {
      const { max } = await spikingLinearRate(backend, { ...sizes, rounds: 1 });
      return (2 * sizes.tokens * sizes.inputs * sizes.outputs) / max / 1e6;
    }
    const { max } = await weightStreamRate(backend, { ...sizes, rounds: 1 });
    return (sizes.outputs * packedBytes(sizes.inputs, 4)) / max / 1e6;
  },

  async load(options: WasmOptions, shape: ShapeName): Promise<void> {
    const { config, tensors, bytes } = syntheticModel({ shape });
    const backend = await createWasmBackend({ ...options, reserve: Math.round(bytes * 1.1) });
    decoder = await loadDecoder({ config, tensors, backend });
  },
  prompt: (tokens: number): Promise<number> => promptRate(decoder!, tokens),
  decode: (tokens: number): Promise<number> => decodeRate(decoder!, tokens),
  unload(): void {
    decoder?.backend.dispose();
    decoder = undefined;
  },

  /** Tokens per second of the bundled model, in float as it comes. */
  async demo(options: WasmOptions, tokens: number): Promise<number> {
    const backend = await backendOf(options);
    using loaded = await loadDecoder({ backend, ...(await fetchDemoModel()) });
    return await decodeRate(loaded, tokens);
  },

  async openRuntime(model: string): Promise<void> {
    peers.set('runtime', await openRuntime(model));
  },
  async openWllama(model: string): Promise<void> {
    peers.set('wllama', await openWllama(model));
  },
  ask: (peer: string, question: string, amount: number): Promise<number> =>
    peers.get(peer)![question as keyof Peer]!(amount),
};

Object.assign(globalThis, { bench, ready: true });
