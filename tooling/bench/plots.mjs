/**
 * How the cost of a spiking linear grows with tokens, steps, salient channels and threads on this machine: one SVG each,
 * in docs/performance.
 *
 *   npm run bench:plots -- [--shape 1.1b] [--threads 2] [--rounds 5] [--out docs/performance]
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { createCpuBackend } from '@spikellm/backend-cpu';
import { SHAPES, spikingLinearRate } from '@spikellm/benchmark';
import { drawLine } from './lib/draw.mjs';

const { values } = parseArgs({
  options: {
    shape: { type: 'string', default: '1.1b' },
    threads: { type: 'string', default: '2' },
    rounds: { type: 'string', default: '5' },
    out: { type: 'string', default: 'docs/performance' },
  },
});
const { hidden_size: inputs, intermediate_size: outputs } = SHAPES[values.shape];
const [most, rounds] = [Number(values.threads), Number(values.rounds)];
const size = `${inputs} x ${outputs}`;

await plot('tokens', [1, 2, 4, 8, 16, 32, 64, 128, 256, 512], (tokens) => ({ tokens }), {
  title: `Spiking linear of ${size}: microseconds per token`,
  x: 'tokens',
  y: 'microseconds per token',
  scale: 'log',
  valueOf: (seconds, { tokens }) => (1e6 * seconds) / tokens,
});
const whole = { y: 'milliseconds for 512 tokens', valueOf: (seconds) => 1e3 * seconds };
await plot('steps', [1, 2, 4], (steps) => ({ steps }), {
  ...whole,
  title: `Spiking linear of ${size}, 10 % of the channels salient`,
  x: 'steps of a salient channel',
});
await plot('salient', [0, 0.05, 0.1, 0.2, 0.3, 0.5], (salient) => ({ salient }), {
  ...whole,
  title: `Spiking linear of ${size}, two steps in salient channels`,
  x: 'share of salient channels',
});
await plot(
  'threads',
  Array.from({ length: most }, (_, i) => i + 1),
  (threads) => ({ threads }),
  {
    ...whole,
    title: `Spiking linear of ${size}`,
    x: 'threads',
  },
);

/** Measures a series, one point for each of `xs`, and draws it. */
async function plot(name, xs, settingsOf, { valueOf, ...labels }) {
  const points = [];
  for (const x of xs) {
    const settings = { tokens: 512, threads: most, ...settingsOf(x) };
    const { median, min, max } = await secondsOf(settings);
    const [middle, least, greatest] = [median, min, max].map((seconds) => valueOf(seconds, settings));
    points.push({ x, median: middle, min: least, max: greatest });
    console.error(`${name} ${x}: ${middle.toFixed(3)} ${labels.y}`);
  }
  mkdirSync(values.out, { recursive: true });
  writeFileSync(join(values.out, `${name}.svg`), drawLine({ ...labels, points }));
}

/** Seconds of one spiking linear. */
async function secondsOf({ threads, tokens, ...gif }) {
  const backend = createCpuBackend({ threads });
  try {
    const rate = await spikingLinearRate(backend, { tokens, inputs, outputs, ...gif, rounds });
    const seconds = (gops) => (2 * tokens * inputs * outputs) / gops / 1e9;
    return { median: seconds(rate.median), min: seconds(rate.max), max: seconds(rate.min) };
  } finally {
    backend.dispose();
  }
}
