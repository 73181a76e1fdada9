/** GPU time of every kernel, by timestamp queries. */

/** The feature of a device that can be profiled. */
export const PROFILING = 'timestamp-query';

/** Runs of one query set, which holds 4096 timestamps at most. */
const RUNS = 2048;
const [QUERY_RESOLVE, COPY_SRC, COPY_DST, MAP_READ] = [0x200, 0x4, 0x8, 0x1];

/**
 * What `work` runs on a device of ours: each run becomes a pass of its own between two timestamps, so the sum is
 * more than the time of the same work in common passes.
 *
 * @returns {Promise<{ kernel: string, runs: number, seconds: number }[]>} by name of the shader, the longest first
 */
export async function profile(device, work) {
  const names = [];
  const sets = [];
  const timestampWrites = (name) => {
    const at = names.push(name) - 1;
    if (at % RUNS === 0) sets.push(device.createQuerySet({ type: 'timestamp', count: 2 * RUNS }));
    const first = 2 * (at % RUNS);
    return {
      querySet: sets.at(-1),
      beginningOfPassWriteIndex: first,
      endOfPassWriteIndex: first + 1,
    };
  };
  const createCommandEncoder = device.createCommandEncoder.bind(device);
  device.createCommandEncoder = (descriptor) => {
    const encoder = createCommandEncoder(descriptor);
    const beginComputePass = encoder.beginComputePass.bind(encoder);
    encoder.beginComputePass = () =>
      passes((name) => beginComputePass({ timestampWrites: timestampWrites(name) }));
    return encoder;
  };
  try {
    await work();
  } finally {
    delete device.createCommandEncoder;
  }

  const totals = new Map();
  const seconds = (await Promise.all(sets.map((set) => secondsOf(device, set)))).flat();
  for (const [i, kernel] of names.entries()) {
    const total = totals.get(kernel) ?? { kernel, runs: 0, seconds: 0 };
    totals.set(kernel, { kernel, runs: total.runs + 1, seconds: total.seconds + seconds[i] });
  }
  return [...totals.values()].toSorted((a, b) => b.seconds - a.seconds);
}

/** Looks like one pass, and begins one for every run. */
function passes(begin) {
  let pipeline, bindings;
  return {
    setPipeline: (next) => (pipeline = next),
    setBindGroup: (...next) => (bindings = next),
    dispatchWorkgroups(...groups) {
      const pass = begin(pipeline.label);
      pass.setPipeline(pipeline);
      pass.setBindGroup(...bindings);
      pass.dispatchWorkgroups(...groups);
      pass.end();
    },
    end() {},
  };
}

/** Seconds between the two timestamps, in nanoseconds, of every run of a set; 0 for those that were not made. */
async function secondsOf(device, set) {
  const size = 8 * set.count;
  const resolved = device.createBuffer({ size, usage: QUERY_RESOLVE | COPY_SRC });
  const staging = device.createBuffer({ size, usage: COPY_DST | MAP_READ });
  const encoder = device.createCommandEncoder();
  encoder.resolveQuerySet(set, 0, set.count, resolved, 0);
  encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
  device.queue.submit([encoder.finish()]);
  await staging.mapAsync(1);
  const times = new BigUint64Array(staging.getMappedRange());
  const seconds = Array.from(
    { length: set.count / 2 },
    (_, i) => Number(times[2 * i + 1] - times[2 * i]) / 1e9,
  );
  for (const used of [resolved, staging, set]) used.destroy();
  return seconds;
}
