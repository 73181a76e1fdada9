/** The worker that the model lives in, so that the page never waits for it. */
import { expose } from 'comlink';
import { backendsOf } from './backends.ts';
import { calibrateOf } from './calibrate.ts';
import { comparisonOf } from './comparison.ts';
import type { EngineEvent } from './contract.ts';
import { inspectOf } from './inspect.ts';
import { modelsOf } from './models.ts';
import { speakOf } from './speak.ts';
import { spikingOf } from './spiking.ts';
import { createWorkbench } from './workbench.ts';

let listener: ((event: EngineEvent) => void) | undefined;
const workbench = createWorkbench((event) => listener?.(event));
const engine = {
  ...backendsOf(workbench),
  ...modelsOf(workbench),
  ...spikingOf(workbench),
  ...comparisonOf(workbench),
  ...calibrateOf(workbench),
  ...speakOf(workbench),
  ...inspectOf(workbench),
  /** Events go to this listener from now on. */
  listen(to: (event: EngineEvent) => void): void {
    listener = to;
  },
  stop: () => workbench.stop(),
};
/** What the page can ask of the worker. */
export type Engine = typeof engine;

expose(engine);
