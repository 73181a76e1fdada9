/**
 * What a GPU makes of a spiking decoder: node scripts/bench.mjs [tiny | 1.1b | 7b] [prompt tokens] [tokens to decode], after npm run build.
 *
 * Decoding reads every weight once a token, so its rate is given as a share of what a copy of buffers moves. Where the
 * device has timestamp queries, a profile of one token says which kernels take the time.
 */
import { benchmarkModel, syntheticModel } from '@spikellm/benchmark';
import { generateTokens, loadDecoder } from '@spikellm/graph';
import { create } from 'webgpu';
import { createWebGpuBackend } from '../dist/node.js';
import { requestDevice } from '../dist/adapter.js';
import { profile, PROFILING } from './profile.mjs';

const COPY_BYTES = 2 ** 28;
const COPIES = 20;

/** Bytes that are read and written in a second, by the best of five rounds of copies. */
async function copyBandwidth(device) {
  const [from, to] = [0, 1].map(() => device.createBuffer({ size: COPY_BYTES, usage: 0x4 | 0x8 }));
  let best = 0;
  for (let round = 0; round < 5; round++) {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < COPIES; i++) encoder.copyBufferToBuffer(from, 0, to, 0, COPY_BYTES);
    const began = performance.now();
    device.queue.submit([encoder.finish()]);
    await device.queue.onSubmittedWorkDone();
    best = Math.max(best, (2 * COPIES * COPY_BYTES) / ((performance.now() - began) / 1000));
  }
  from.destroy();
  to.destroy();
  return best;
}

/** GPU time of the kernels of one token that is decoded after some others, as lines of a table. */
async function profileOfToken(device, decoder) {
  if (!device.features.has(PROFILING)) return [`no profile: the device has no ${PROFILING}`];
  const tokens = generateTokens(decoder, [1, 2, 3, 4, 5, 6, 7, 8], { maxTokens: 3, endTokens: [] });
  for (let warm = 0; warm < 2; warm++) await tokens.next();
  const kernels = await profile(device, () => tokens.next());
  await tokens.return();
  const total = kernels.reduce((sum, { seconds }) => sum + seconds, 0);
  return [
    `one token: ${(1000 * total).toFixed(3)} ms in kernels, each in a pass of its own`,
    ...kernels.map(({ kernel, runs, seconds }) => {
      const share = `${((100 * seconds) / total).toFixed(1)} %`.padStart(8);
      return `${share} ${(1000 * seconds).toFixed(3).padStart(10)} ms ${String(runs).padStart(5)} x ${kernel}`;
    }),
  ];
}

const [shape = '7b', promptTokens = 512, decodeTokens = 32] = process.argv.slice(2);
// Dawn rounds timestamps to 0.1 ms by default.
const gpu = create(['disable-dawn-features=timestamp_quantization']);
const device = await requestDevice(gpu, { features: [PROFILING] });
const bandwidth = await copyBandwidth(device);
const backend = await createWebGpuBackend({ gpu, device });
console.log(`${backend.report.device}; copies move ${(bandwidth / 1e9).toFixed(1)} GB/s`);

const model = syntheticModel({ shape });
const decoder = await loadDecoder({ ...model, backend });
const { prompt, decode } = await benchmarkModel(decoder, {
  promptTokens: Number(promptTokens),
  decodeTokens: Number(decodeTokens),
  rounds: 3,
});
const share = (decode.median * model.bytesPerToken) / bandwidth;
console.log(`prompt of ${promptTokens}: ${prompt.median.toFixed(1)} tokens/s`);
console.log(
  `decode: ${decode.median.toFixed(1)} tokens/s, ${(100 * share).toFixed(1)} % of the bandwidth of copies`,
);
for (const line of await profileOfToken(device, decoder)) console.log(line);
decoder.dispose();
backend.dispose();
device.destroy();
