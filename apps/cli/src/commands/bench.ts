import { SHAPE_NAMES, type ShapeName, type Spread } from '@spikellm/benchmark';
import type { Command } from 'commander';
import { limitsOf, openBackend, type BackendOptions } from '../backends.ts';
import { measureBackend, type BenchReport } from '../bench-report.ts';
import { bytes, table } from '../format.ts';
import { oneOf, option, withBackend, withVerbose } from '../options.ts';
import { print, printJson, type Session } from '../session.ts';

interface BenchOptions extends BackendOptions {
  readonly shape?: ShapeName;
  readonly json?: boolean;
}

export function addBench(program: Command, session: Session): void {
  const shapes = option(
    '--shape <name>',
    'size of the model, 1.1b by default on a native backend and tiny on others',
    oneOf(SHAPE_NAMES),
  );
  const command = program
    .command('bench')
    .description('Measure how fast this machine runs a spiking LLaMA of random weights.')
    .addOption(shapes)
    .option('--json', 'print one JSON document');
  withVerbose(withBackend(command), 'bench --shape 1.1b --threads 2').action((options: BenchOptions) =>
    bench(session, options),
  );
}

async function bench(session: Session, options: BenchOptions): Promise<void> {
  using backend = await openBackend(session, options);
  const usual = limitsOf(backend) === undefined ? 'tiny' : '1.1b';
  const report = await measureBackend(session, backend, options.shape ?? usual);
  if (options.json === true) printJson(session, report);
  else show(session, report);
}

function show(session: Session, { shape, device, model, kernels, limits, shares }: BenchReport): void {
  print(session, `${device}; ${shape} with random weights, W4A4, two steps in 10 % of the channels`);
  const row = (what: string, unit: string, { median, min, max }: Spread, share?: number): string[] => [
    what,
    `${rate(median)} ${unit}`,
    `${rate(min)} to ${rate(max)}`,
    share === undefined ? '-' : `${(100 * share).toFixed(0)} %`,
  ];
  const size = `${kernels.tokens} x ${kernels.inputs} x ${kernels.outputs}`;
  const rows = [
    row(`prompt of ${model.promptTokens} tokens`, 'tokens/s', model.prompt),
    row('decoding', 'tokens/s', model.decode, shares?.decode),
    row(`spiking linear, ${size}`, 'GOPS', kernels.spikingLinearGops, shares?.spikingLinear),
    row('spiking linear, one token', 'GB/s', kernels.oneTokenGBs, shares?.oneToken),
    row(`float product, ${size}`, 'GFLOPS', kernels.floatLinearGflops, shares?.floatLinear),
  ];
  print(session, table(['', 'median', 'range', 'of the limit'], rows));
  print(
    session,
    limits === null
      ? 'limits  not known for this backend'
      : `limits  memory ${rate(limits.readGBs)} GB/s, 8-bit integers ${rate(limits.int8Gops)} GOPS, float ${rate(limits.f32Gflops)} GFLOPS`,
  );
  const { loadSeconds, checkpointBytes, kvCacheBytes, peakBytes } = model;
  const held = `${bytes(checkpointBytes)} of weights and ${bytes(kvCacheBytes)} of KV cache`;
  print(session, `load    ${loadSeconds.toFixed(1)} s`);
  const times = (peakBytes / (checkpointBytes + kvCacheBytes)).toFixed(2);
  print(session, `memory  ${bytes(peakBytes)} at its peak, ${times} times ${held}`);
}

const rate = (value: number): string => value.toFixed(value < 100 ? 1 : 0);
