// llama.cpp by node-llama-cpp, CPU only. Batch and micro batch are 512 tokens; flash attention and the type of the KV cache
// are its defaults.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { serve } from '../lib/child.mjs';

const SHORT_PROMPT = 8;
let context, sequence, vocabulary;

/** Seconds at which each of `tokens` greedy tokens comes, the beginning of the prompt being 0. */
async function tokenTimes(promptTokens, tokens) {
  await sequence.clearHistory();
  const prompt = Array.from({ length: promptTokens }, (_, i) => (1 + i * 7919) % vocabulary);
  const times = [];
  const began = performance.now();
  for await (const _ of sequence.evaluate(prompt, { temperature: 0, yieldEogToken: true })) {
    times.push((performance.now() - began) / 1000);
    if (times.length === tokens) break;
  }
  return times;
}

serve({
  async open({ folder, file, threads, vocabulary: count }) {
    const entry = join(folder, 'node_modules', 'node-llama-cpp', 'dist', 'index.js');
    const { getLlama } = await import(pathToFileURL(entry).href);
    const llama = await getLlama({
      gpu: false,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: 'error',
      maxThreads: threads,
    });
    const model = await llama.loadModel({ modelPath: file, gpuLayers: 0 });
    context = await model.createContext({
      contextSize: 1024,
      batchSize: 512,
      threads: { ideal: threads, min: threads },
    });
    sequence = context.getSequence();
    vocabulary = count;
    return {
      threads: context.idealThreads,
      batch: context.batchSize,
      flashAttention: context.flashAttention,
      kvCache: [context.kvCacheKeyType, context.kvCacheValueType],
    };
  },
  async prompt({ tokens }) {
    const [first] = await tokenTimes(tokens, 1);
    return tokens / first;
  },
  async decode({ tokens }) {
    const times = await tokenTimes(SHORT_PROMPT, tokens + 1);
    return tokens / (times[tokens] - times[0]);
  },
});
