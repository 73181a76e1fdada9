/** The peers of ../bench.mjs, imported from where it has installed and serves them. */

/** What a peer can be asked; not every peer can do all. */
export interface Peer {
  /** Milliseconds of one product of so many tokens. */
  product?(tokens: number): Promise<number>;
  /** Tokens per second of a prompt of about so many tokens. */
  prompt?(tokens: number): Promise<number>;
  /** Tokens per second that come one by one. */
  decode?(tokens: number): Promise<number>;
}

const ROUND_MILLISECONDS = 150;

interface Runtime {
  readonly env: { readonly wasm: { numThreads: number; wasmPaths: string } };
  readonly InferenceSession: {
    create(model: string): Promise<{ run(feeds: object): Promise<object>; inputMetadata: unknown }>;
  };
  readonly Tensor: new (type: string, data: Float32Array, dims: readonly number[]) => object;
}

/** ONNX Runtime on one thread, with a model of one MatMulNBits of 2048 inputs. */
export async function openRuntime(model: string): Promise<Peer> {
  const folder = '/onnxruntime-web/';
  const runtime = (await import(/* @vite-ignore */ `${folder}ort.wasm.min.mjs`)) as Runtime;
  runtime.env.wasm.numThreads = 1;
  runtime.env.wasm.wasmPaths = folder;
  const session = await runtime.InferenceSession.create(model);
  return {
    async product(tokens) {
      const inputs = 2048;
      const values = Float32Array.from({ length: tokens * inputs }, (_, i) => Math.sin(i));
      const x = new runtime.Tensor('float32', values, [tokens, inputs]);
      const time = async (runs: number): Promise<number> => {
        const began = performance.now();
        for (let run = 0; run < runs; run++) await session.run({ x });
        return (performance.now() - began) / runs;
      };
      return time(Math.max(1, Math.ceil(ROUND_MILLISECONDS / (await time(1)))));
    },
  };
}

interface Completion {
  readonly timings: {
    readonly prompt_n: number;
    readonly prompt_ms: number;
    readonly predicted_n: number;
    readonly predicted_ms: number;
  };
}
interface Llama {
  loadModelFromUrl(url: string, options: object): Promise<void>;
  createCompletion(options: object): Promise<Completion>;
}

/** llama.cpp on one thread. */
export async function openWllama(model: string): Promise<Peer> {
  const folder = '/wllama/';
  const { Wllama } = (await import(/* @vite-ignore */ `${folder}index.js`)) as {
    Wllama: new (paths: object, config: object) => Llama;
  };
  const llama = new Wllama({ default: new URL(`${folder}wasm/wllama.wasm`, location.href).href }, {});
  await llama.loadModelFromUrl(new URL(model, location.href).href, {
    useCache: false,
    n_threads: 1,
    n_gpu_layers: 0,
    n_ctx: 1024,
    n_batch: 512,
    n_ubatch: 512,
  });
  let asked = 0;
  /** A text of about so many tokens that none before begins with, so that nothing of it is cached. */
  const textOf = (tokens: number): string =>
    String.fromCharCode(97 + (asked++ % 26), 97 + (Math.floor(asked / 26) % 26)).repeat(tokens / 2);
  const ask = async (tokens: number, most: number): Promise<Completion['timings']> => {
    const { timings } = await llama.createCompletion({
      prompt: textOf(tokens),
      max_tokens: most,
      temperature: 0,
      ignore_eos: true,
    });
    return timings;
  };
  return {
    async prompt(tokens) {
      const { prompt_n, prompt_ms } = await ask(tokens, 1);
      return (1000 * prompt_n) / prompt_ms;
    },
    async decode(tokens) {
      const { predicted_n, predicted_ms } = await ask(8, tokens);
      return (1000 * predicted_n) / predicted_ms;
    },
  };
}
