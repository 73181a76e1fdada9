/**
 * Memory of generation: loads a spiking model of random weights as a checkpoint is loaded, generates, and holds the
 * largest resident set of the process, less what Node takes with its imports, against the bytes of the checkpoint and
 * of the KV cache. Exits with 1 beyond 1.2 times.
 *
 *   npm run bench:memory -- [--shape 7b] [--threads 2] [--tokens 16]
 */
import { parseArgs } from 'node:util';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { syntheticModel } from '@spikellm/benchmark';
import { generateTokens, loadDecoder } from '@spikellm/graph';

const MOST = 1.2;
const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '7b' },
    threads: { type: 'string', default: '2' },
    tokens: { type: 'string', default: '16' },
  },
});
const peak = () => process.resourceUsage().maxRSS * 1024;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;

const backend = createCpuBackend({ threads: Number(values.threads) });
const before = peak();
const model = syntheticModel({ shape: values.shape });
const began = performance.now();
const decoder = await loadDecoder({ ...model, backend });
const seconds = (performance.now() - began) / 1000;
const weights = backend.liveBytes;
let kvCache = 0;
const ids = [];
const options = { maxTokens: Number(values.tokens), endTokens: [] };
for await (const id of generateTokens(decoder, [1, 2, 3, 4, 5, 6, 7, 8], options)) {
  ids.push(id);
  kvCache = Math.max(kvCache, backend.liveBytes - weights);
}
const held = model.bytes + kvCache;
const share = (peak() - before) / held;
console.log(
  `${values.shape}: checkpoint ${megabytes(model.bytes)}, loaded in ${seconds.toFixed(1)} s, ${ids.length} tokens generated`,
);
console.log(
  `resident ${megabytes(peak())} at its peak, ${megabytes(before)} of it before: ${share.toFixed(3)} times checkpoint and cache`,
);
decoder.dispose();
backend.dispose();
process.exitCode = share > MOST ? 1 : 0;
