// The comparisons. Each adds to one report what it has measured; a side that cannot run is null, with its reason.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { SHAPES } from '@spikellm/benchmark';
import { startSide } from './child.mjs';
import { writeLlama } from './gguf.mjs';
import { installPeer, PEERS_FOLDER } from './peers.mjs';
import { alternate, ratioOf, spreadOrNull } from './rounds.mjs';

const sideScript = (name) => fileURLToPath(new URL(`../sides/${name}.mjs`, import.meta.url));

/** Spiking models and the GGUF types that they are held against. */
export const MODELS = {
  q4: { model: {}, linears: 'q4_0', env: {}, ratios: ['prefill', 'decode'] },
  ternary: {
    model: { weights: 'ternary' },
    linears: 'tq2_0',
    env: {},
    ratios: ['ternaryPrefill', 'ternaryDecode'],
  },
  avx2: { model: {}, linears: 'q4_0', env: { SPIKELLM_ISA: 'avx2' }, ratios: ['avx2Prefill', 'avx2Decode'] },
};

/** Prompt and decoding of whole models: `part` names one of the pairs. */
export async function compareModels(report, part, files) {
  const { shape, threads, rounds, promptTokens, decodeTokens } = report.settings;
  const { model, linears, env, ratios } = MODELS[part];
  note(`${part}: loading`);
  const own = await open(report, 'spikellm', part, env, { threads, model: { shape, ...model } });
  const peer = await openLlama(report, part, linears, files);
  const sides = { spikellm: own, llamacpp: peer };

  await keepLimits(report, own);
  note(`${part}: ${rounds} rounds of ${promptTokens} prompt tokens`);
  const prompts = await alternate(
    rounds,
    each(sides, (side) => side.prompt({ tokens: promptTokens })),
  );
  note(`${part}: ${rounds} rounds of ${decodeTokens} decoded tokens`);
  const decodes = await alternate(rounds, {
    limits: own && (() => keepLimits(report, own)),
    ...each(sides, (side) => side.decode({ tokens: decodeTokens })),
  });
  if (part === 'q4') {
    const shareOf = (rate, { readGBs }) => (rate * own.info.bytesPerToken) / 1e9 / readGBs;
    keepMoment(report, 'decodeBandwidth', decodes.spikellm, decodes.limits, shareOf);
  }

  for (const [name, side] of Object.entries(sides)) {
    const rates = { prompt: spreadOrNull(prompts[name]), decode: spreadOrNull(decodes[name]) };
    report[name][part] = side && { ...side.info, ...rates };
    side?.stop();
  }
  keepRatio(report, ratios[0], prompts.spikellm, prompts.llamacpp);
  keepRatio(report, ratios[1], decodes.spikellm, decodes.llamacpp);
}

/** The largest linear of the shape: many tokens and one, spiking, float, and ONNX Runtime's of the same bits. */
export async function compareKernels(report) {
  const { shape, threads, rounds, promptTokens: tokens } = report.settings;
  const { hidden_size: inputs, intermediate_size: outputs } = SHAPES[shape];
  const own = await open(report, 'spikellm', 'kernels', {}, { threads });
  const installed = installPeer('onnxruntime');
  const peer = await open(report, 'onnxruntime', 'kernels', {}, { threads, ...installed });
  const sizes = { tokens, inputs, outputs };
  /** Matrices that one token reads: beyond the caches, as many as on our side. */
  const bytes = (outputs * inputs) / 2;
  const count = Math.min(64, Math.ceil(2 ** 28 / bytes));
  const gops = (seconds) => (2 * tokens * inputs * outputs) / seconds / 1e9;
  const kernel = (rate) => own && (() => own.kernel({ rate, ...sizes }));

  note(`kernels: ${rounds} rounds`);
  const values = await alternate(rounds, {
    limits: own && (() => keepLimits(report, own)),
    spikingLinear: kernel('spikingLinearRate'),
    matMulNBits: peer && (async () => gops(await peer.products({ ...sizes, count: 1 }))),
    oneToken: kernel('weightStreamRate'),
    oneTokenNBits:
      peer && (async () => (count * bytes) / 1e9 / (await peer.products({ ...sizes, tokens: 1, count }))),
    floatLinear: kernel('floatLinearRate'),
  });
  report.spikellm.kernels = own && {
    ...own.info,
    ...sizes,
    spikingLinearGops: spreadOrNull(values.spikingLinear),
    oneTokenGBs: spreadOrNull(values.oneToken),
    floatLinearGflops: spreadOrNull(values.floatLinear),
  };
  report.onnxruntime.kernels = peer && {
    version: installed.version,
    matMulNBitsGops: spreadOrNull(values.matMulNBits),
    oneTokenGBs: spreadOrNull(values.oneTokenNBits),
  };
  const moment = (share, limit, ours) =>
    keepMoment(report, share, ours, values.limits, (rate, limits) => rate / limits[limit]);
  moment('intGemm', 'int8Gops', values.spikingLinear);
  moment('oneToken', 'readGBs', values.oneToken);
  moment('f32Gemm', 'f32Gflops', values.floatLinear);
  keepRatio(report, 'linear', values.spikingLinear, values.matMulNBits);
  keepRatio(report, 'linearOneToken', values.oneToken, values.oneTokenNBits);
  own?.stop();
  peer?.stop();
}

/** What our side reaches of the limits that hold for it: medians, against the best that the machine has shown. */
export function sharesOf({ limits, spikellm: { kernels, q4 } }) {
  const streamed = q4 && (q4.decode.median * q4.bytesPerToken) / 1e9;
  return {
    intGemm: kernels ? kernels.spikingLinearGops.median / limits.int8Gops : null,
    oneToken: kernels ? kernels.oneTokenGBs.median / limits.readGBs : null,
    decodeBandwidth: q4 ? streamed / limits.readGBs : null,
    f32Gemm: kernels ? kernels.floatLinearGflops.median / limits.f32Gflops : null,
  };
}

/** llama.cpp with a synthetic model of the shape, written where it is missing. */
async function openLlama(report, part, linears, files) {
  const { shape, threads } = report.settings;
  const installed = installPeer('llamacpp');
  const file = join(PEERS_FOLDER, `${shape}-${linears}.gguf`);
  if (!('reason' in installed) && !existsSync(file)) {
    note(`${part}: writing ${file}`);
    mkdirSync(PEERS_FOLDER, { recursive: true });
    files.push(file, `${file}.partial`);
    writeLlama(file, SHAPES[shape], linears);
  }
  const vocabulary = SHAPES[shape].vocab_size;
  return open(report, 'llamacpp', part, {}, { ...installed, file, threads, vocabulary });
}

/** A side that is ready, with what it says of itself as `info`; null where it cannot run, for a reason that is kept. */
async function open(report, name, part, env, options) {
  const failed = (reason) => {
    report.reasons[`${name} ${part}`] = reason;
    note(`${part}: without ${name}: ${reason}`);
    return null;
  };
  if (options.reason !== undefined) return failed(options.reason);
  const side = startSide(sideScript(name), env);
  try {
    const info = await side.open(options);
    const version = options.version === undefined ? {} : { version: options.version };
    const { prompt, decode, kernel, products, limits, stop } = side;
    return { info: { ...version, ...info }, prompt, decode, kernel, products, limits, stop };
  } catch (error) {
    side.stop();
    return failed(error.message);
  }
}

/** Shares of what the machine could do in the same round, which on shared hardware is not what it could do at best. */
function keepMoment(report, share, ours, limits, shareOf) {
  report.momentShares[share] = ours && spreadOrNull(ours.map((rate, round) => shareOf(rate, limits[round])));
}

/**
 * What the machine does at most now. The report keeps the best of what it has shown so far: what else runs on it can only
 * lower a limit.
 */
async function keepLimits(report, side) {
  if (side === null || side.info.device?.startsWith('AVX2')) return undefined;
  const found = await side.limits();
  const best = (name) => Math.max(found[name], report.limits?.[name] ?? 0);
  report.limits = {
    readGBs: best('readGBs'),
    int8Gops: best('int8Gops'),
    f32Gflops: best('f32Gflops'),
  };
  return found;
}

function keepRatio(report, name, ours, theirs) {
  const spread = ratioOf(ours, theirs);
  report.ratios[name] = spread && spread.median;
  report.spreads[name] = spread;
}

const each = (sides, measure) =>
  Object.fromEntries(Object.entries(sides).map(([name, side]) => [name, side && (() => measure(side))]));

const note = (line) => console.error(line);
