/** The worker that the model lives in, so that the page never waits for it. */
import { expose } from 'comlink';
import { backendsOf } from './backends.ts';
import { createWorkbench } from './workbench.ts';

const workbench = createWorkbench();
const engine = {
  ...backendsOf(workbench),
  stop: () => workbench.stop(),
};
/** What the page can ask of the worker. */
export type Engine = typeof engine;

expose(engine);
