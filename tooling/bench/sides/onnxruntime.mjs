// ONNX Runtime: MatMulNBits of random 4-bit weights, computed in int8.
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { matMulModel } from '../lib/onnx.mjs';
import { serve } from '../lib/child.mjs';

/** A round lasts about so long. */
const ROUND_SECONDS = 0.15;
let runtime, options;
const sessions = new Map();

async function sessionOf(sizes) {
  const key = JSON.stringify(sizes);
  const session = sessions.get(key) ?? (await runtime.InferenceSession.create(matMulModel(sizes), options));
  sessions.set(key, session);
  return session;
}

serve({
  open({ folder, threads }) {
    runtime = createRequire(join(folder, 'package.json'))('onnxruntime-node');
    options = {
      intraOpNumThreads: threads,
      interOpNumThreads: 1,
      executionProviders: ['cpu'],
      logSeverityLevel: 3,
    };
  },
  /** Seconds of one run of `count` products, each of other weights. */
  async products({ tokens, ...sizes }) {
    const session = await sessionOf(sizes);
    const values = Float32Array.from({ length: tokens * sizes.inputs }, (_, i) => Math.sin(i));
    const x = new runtime.Tensor('float32', values, [tokens, sizes.inputs]);
    const time = async (runs) => {
      const began = performance.now();
      for (let run = 0; run < runs; run++) await session.run({ x });
      return (performance.now() - began) / 1000 / runs;
    };
    return time(Math.max(1, Math.ceil(ROUND_SECONDS / (await time(1)))));
  },
});
