// spikellm on the native backend: a model of random weights, its kernels, and the limits of the machine.
import { createCpuBackend, measureLimits } from '@spikellm/backend-cpu';
import {
  decodeRate,
  floatLinearRate,
  promptRate,
  spikingLinearRate,
  syntheticModel,
  weightStreamRate,
} from '@spikellm/benchmark';
import { loadDecoder } from '@spikellm/graph';
import { serve } from '../lib/child.mjs';

const RATES = { spikingLinearRate, weightStreamRate, floatLinearRate };
let backend, decoder;

serve({
  async open({ threads, model }) {
    backend = createCpuBackend({ threads });
    if (model === undefined) return { device: backend.report.device };
    const synthetic = syntheticModel(model);
    decoder = await loadDecoder({ ...synthetic, backend });
    await backend.synchronize();
    return { device: backend.report.device, bytes: synthetic.bytes, bytesPerToken: synthetic.bytesPerToken };
  },
  prompt: ({ tokens }) => promptRate(decoder, tokens),
  decode: ({ tokens }) => decodeRate(decoder, tokens),
  limits: () => measureLimits({ threads: backend.report.threads }),
  // One round of a kernel by the name of its rate.
  kernel: async ({ rate, ...sizes }) => (await RATES[rate](backend, { ...sizes, rounds: 1 })).median,
});
