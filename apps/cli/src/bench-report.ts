import type { Backend } from '@spikellm/backend';
import type { MachineLimits } from '@spikellm/backend-cpu';
import {
  benchmarkModel,
  floatLinearRate,
  SHAPES,
  spikingLinearRate,
  syntheticModel,
  weightStreamRate,
  type ModelRates,
  type ShapeName,
  type Spread,
} from '@spikellm/benchmark';
import { limitsOf } from './backends.ts';
import { secondsSince } from './measure.ts';
import { openDecoder } from './model.ts';
import type { Session } from './session.ts';

/** Tokens of the prompt, and of the kernels that read many. */
const PROMPT_TOKENS: Readonly<Record<ShapeName, number>> = { tiny: 64, '1.1b': 512, '7b': 512 };
const DECODE_TOKENS = 32;
const ROUNDS = 3;

/** What `spikellm bench` has measured. */
export interface BenchReport {
  readonly shape: ShapeName;
  readonly backend: string;
  readonly device: string;
  readonly threads: number;
  readonly model: ModelReport;
  readonly kernels: KernelReport;
  /** null where the limits of the machine are not known. */
  readonly limits: MachineLimits | null;
  readonly shares: Shares | null;
}

interface ModelReport extends ModelRates {
  readonly promptTokens: number;
  readonly decodeTokens: number;
  readonly loadSeconds: number;
  readonly checkpointBytes: number;
  readonly bytesPerToken: number;
  readonly kvCacheBytes: number;
  /** Peak resident memory of the process up to the end of generation. */
  readonly peakBytes: number;
}

interface KernelReport {
  readonly tokens: number;
  readonly inputs: number;
  readonly outputs: number;
  /** Dense integer operations of a spiking linear of all tokens, 10^9 per second. */
  readonly spikingLinearGops: Spread;
  /** Packed weights that a spiking linear of one token reads, 10^9 bytes per second. */
  readonly oneTokenGBs: Spread;
  /** Float matrix product of all tokens, 10^9 operations per second. */
  readonly floatLinearGflops: Spread;
}

/** Medians as parts of the limit that holds for them, 0 to 1. */
interface Shares {
  readonly decode: number;
  readonly spikingLinear: number;
  readonly oneToken: number;
  readonly floatLinear: number;
}

/**
 * Measures a backend: a whole model, its largest kernels, and the limits of the machine before and after those, of which
 * the better count: what else runs on the machine can only lower them.
 */
export async function measureBackend(
  session: Session,
  backend: Backend,
  shape: ShapeName,
): Promise<BenchReport> {
  const model = await measureModel(session, backend, shape);
  const measureLimits = limitsOf(backend);
  const before = await measureLimits?.();
  const kernels = await measureKernels(session, backend, shape);
  const after = await measureLimits?.();
  const limits = before === undefined || after === undefined ? null : larger(before, after);
  const { device, threads } = backend.report;
  const shares = limits && sharesOf(model, kernels, limits);
  return { shape, backend: backend.name, device, threads, model, kernels, limits, shares };
}

/** First of all, so that the peak of memory is the model's. */
async function measureModel(session: Session, backend: Backend, shape: ShapeName): Promise<ModelReport> {
  const promptTokens = PROMPT_TOKENS[shape];
  const model = syntheticModel({ shape });
  const began = performance.now();
  using decoder = await openDecoder(session, model, backend);
  await backend.synchronize();
  const loadSeconds = secondsSince(began);
  const loadedBytes = backend.liveBytes;
  const cache = decoder.createCache(promptTokens + 1);
  const kvCacheBytes = backend.liveBytes - loadedBytes;
  cache.dispose();
  const options = { promptTokens, decodeTokens: DECODE_TOKENS, rounds: ROUNDS, signal: session.signal };
  const rates = await benchmarkModel(decoder, options);
  return {
    ...rates,
    promptTokens,
    decodeTokens: DECODE_TOKENS,
    loadSeconds,
    checkpointBytes: model.bytes,
    bytesPerToken: model.bytesPerToken,
    kvCacheBytes,
    peakBytes: 1024 * process.resourceUsage().maxRSS,
  };
}

async function measureKernels(
  { signal }: Session,
  backend: Backend,
  shape: ShapeName,
): Promise<KernelReport> {
  const { hidden_size: inputs, intermediate_size: outputs } = SHAPES[shape];
  const sizes = { tokens: PROMPT_TOKENS[shape], inputs, outputs };
  const options = { ...sizes, rounds: ROUNDS, signal };
  return {
    ...sizes,
    spikingLinearGops: await spikingLinearRate(backend, options),
    oneTokenGBs: await weightStreamRate(backend, options),
    floatLinearGflops: await floatLinearRate(backend, options),
  };
}

const larger = (a: MachineLimits, b: MachineLimits): MachineLimits => ({
  readGBs: Math.max(a.readGBs, b.readGBs),
  int8Gops: Math.max(a.int8Gops, b.int8Gops),
  f32Gflops: Math.max(a.f32Gflops, b.f32Gflops),
});

const sharesOf = (model: ModelReport, kernels: KernelReport, limits: MachineLimits): Shares => ({
  decode: (model.decode.median * model.bytesPerToken) / 1e9 / limits.readGBs,
  spikingLinear: kernels.spikingLinearGops.median / limits.int8Gops,
  oneToken: kernels.oneTokenGBs.median / limits.readGBs,
  floatLinear: kernels.floatLinearGflops.median / limits.f32Gflops,
});
