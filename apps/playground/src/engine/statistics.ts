/** What the calibration text says of the float model, gathered once for the map and for the pipelines. */
import {
  collectStatistics,
  rotateModel,
  type LayerStatistics,
  type QuantizeSettings,
} from '@spikellm/calibration';
import { bindTensors, parseModel, type LoadOptions } from '@spikellm/graph';
import { calibrationWindows } from './windows.ts';
import type { OpenModel, Workbench } from './workbench.ts';

/** What decides the statistics, next to the model and the backend. */
export interface StatisticsRequest extends Pick<QuantizeSettings, 'rotate' | 'seed'> {
  /** Calibration windows. */
  readonly samples: number;
}

const known = new WeakMap<OpenModel, Map<string, readonly LayerStatistics[]>>();

const keyOf = (workbench: Workbench, { rotate, seed, samples }: StatisticsRequest): string =>
  [workbench.backend().report.device, rotate, seed, samples].join();

/** Statistics that were gathered before; undefined where none were. */
export const knownStatistics = (
  workbench: Workbench,
  request: StatisticsRequest,
): readonly LayerStatistics[] | undefined =>
  known.get(workbench.model('float'))?.get(keyOf(workbench, request));

/** Statistics of the float model as the pipelines take it. Rejects with the signal's reason. */
export async function statisticsOf(
  workbench: Workbench,
  request: StatisticsRequest,
  signal: AbortSignal,
): Promise<readonly LayerStatistics[]> {
  const before = knownStatistics(workbench, request);
  if (before !== undefined) return before;
  const float = workbench.model('float');
  const { config, tensors } = pipelineInput(workbench, request);
  const statistics = await collectStatistics({
    graph: parseModel(config),
    tensors,
    backend: workbench.backend(),
    windows: await calibrationWindows(float, request),
    signal,
    onProgress: (done, total) => workbench.report('calibrating', done, total),
  });
  const ofModel = known.get(float) ?? new Map<string, readonly LayerStatistics[]>();
  known.set(float, ofModel.set(keyOf(workbench, request), statistics));
  return statistics;
}

/** The model that is quantised: the float one, rotated where the settings say so. */
export function pipelineInput(
  workbench: Workbench,
  { rotate, seed }: StatisticsRequest,
): Pick<LoadOptions, 'config' | 'tensors'> {
  const { folder } = workbench.model('float');
  if (rotate === 'none') return folder;
  const graph = parseModel(folder.config);
  const source = bindTensors(folder.tensors, graph, undefined);
  const { json, tensors } = rotateModel(workbench.backend(), graph, source, seed);
  return { config: { ...folder.config, ...json }, tensors };
}
