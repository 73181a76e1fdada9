import {
  checkSettings,
  estimateRun,
  floatModel,
  measureRates,
  ownSettings,
  PIPELINES,
  type PartSize,
  type QuantizeSettings,
  type RunEstimate,
} from '@spikellm/calibration';
import { MOST_LOGITS } from '@spikellm/evaluation';
import type { DecoderConfig } from '@spikellm/graph';
import { openBackend, type BackendOptions } from '../backends.ts';
import { bytes, table } from '../format.ts';
import { readConfig } from '../model.ts';
import { note, print, printJson, type Session } from '../session.ts';

export interface DryRunOptions extends BackendOptions {
  readonly samples: number;
  readonly seqlen: number;
  readonly memory: number;
  readonly json?: boolean;
}

type Part = PartSize['part'] | 'evaluate';

interface Sized extends Omit<RunEstimate, 'parts'> {
  readonly pipeline: string;
  /** The part of the run that holds the most, and all of it by part. */
  readonly peak: Part;
  readonly parts: Readonly<Partial<Record<Part, number>>>;
}

/**
 * Bytes of objects between two collections of garbage, measured: the heap's young part grows to its full size within some
 * hundred passes of a window through a layer.
 */
const heapBytes = (passes: number): number => 22e6 + 28e6 * Math.min(1, passes / 500);
/** A loaded checkpoint over its bytes, see docs/results.md. */
const LOADED = 1.1;

/** Says what a run of every pipeline would take, from a model folder or from a config.json alone. */
export async function dryRun(
  session: Session,
  name: string,
  settings: QuantizeSettings,
  options: DryRunOptions,
): Promise<void> {
  const { samples, seqlen: length, memory } = options;
  checkSettings(settings);
  const json = await readConfig(name, session.signal);
  const graph = floatModel({ path: name, config: json });
  using backend = await openBackend(session, options);
  const processBytes = process.memoryUsage.rss();
  const rates = await measureRates(backend, graph, settings, length, session.signal);
  const storedBytes = ['float16', 'bfloat16'].includes(String(json.torch_dtype ?? json.dtype)) ? 2 : 4;
  const all = PIPELINES.map((one): Sized => {
    const pipeline = one.name;
    const own = pipeline === settings.pipeline ? settings : { ...settings, pipeline, options: {} };
    const sizing = { graph, settings: own, samples, length, memory, storedBytes };
    const { parts, ...estimate } = estimateRun(sizing, rates);
    const units = graph.layers.map((layer) => one.work?.units(layer, samples, ownSettings(own)) ?? 0);
    const passes = Math.max(
      samples * graph.layers.length,
      units.reduce((sum, count) => sum + count, 0),
    );
    const besides = processBytes + heapBytes(passes);
    const evaluated = LOADED * estimate.checkpointBytes + evaluation(graph.config, own, length);
    const whole = [...parts, { part: 'evaluate' as const, bytes: evaluated }].map((each) => ({
      ...each,
      bytes: Math.round(besides + each.bytes),
    }));
    const peak = whole.reduce((most, each) => (each.bytes > most.bytes ? each : most));
    return {
      pipeline,
      ...estimate,
      peak: peak.part,
      peakBytes: peak.bytes,
      parts: Object.fromEntries(whole.map(({ part, bytes: size }) => [part, size])),
    };
  });
  if (options.json === true) {
    printJson(session, {
      model: name,
      settings,
      samples,
      seqlen: length,
      memory,
      backend: backend.name,
      runs: all,
    });
    return;
  }
  print(
    session,
    table(
      [
        'pipeline',
        'peak memory',
        'while it',
        'checkpoint',
        'more disk',
        'a layer',
        `${graph.layers.length} layers`,
      ],
      all.map((run) => [
        run.pipeline,
        bytes(run.peakBytes),
        WORDS[run.peak],
        bytes(run.checkpointBytes),
        bytes(run.spilledBytes),
        duration(run.secondsPerLayer),
        duration(run.seconds),
      ]),
    ),
  );
  note(
    session,
    'Times are of short probes on this machine as it is now, and leave out reading the model from disk.',
  );
}

const WORDS: Readonly<Record<Part, string>> = {
  check: 'checks weights',
  embed: 'embeds tokens',
  calibrate: 'calibrates',
  gradients: 'finds gradients',
  train: 'trains',
  compensate: 'quantises',
  encode: 'encodes',
  tables: 'writes tables',
  evaluate: 'evaluates',
};

/** Logits of a window, as many of them as stand there at a time, and as much beside them. */
function evaluation(
  { vocabularySize }: DecoderConfig,
  { key }: Pick<QuantizeSettings, 'key'>,
  length: number,
): number {
  const logits = length * vocabularySize;
  return 2 * 4 * (key === 'whole' ? logits : Math.min(logits, Math.max(MOST_LOGITS, vocabularySize)));
}

function duration(seconds: number): string {
  if (seconds < 100) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  const minutes = seconds / 60;
  return minutes < 100 ? `${minutes.toFixed(0)} min` : `${(minutes / 60).toFixed(1)} h`;
}
