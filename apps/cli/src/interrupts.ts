import { Worker } from 'node:worker_threads';
import { Interrupted } from './session.ts';

/** How long the work has to end by itself: nothing that can be aborted takes as long. */
const GRACE_MS = 5000;

/**
 * A signal that Ctrl-C aborts. One Ctrl-C always ends the process: if it is still there some seconds later, because the
 * work cannot stop or the event loop is blocked, it is killed by the same signal. A second Ctrl-C kills at once.
 */
export function interruptSignal(): AbortSignal {
  const controller = new AbortController();
  const watch = new Worker(new URL('../bin/interrupts.js', import.meta.url), {
    workerData: { graceMs: GRACE_MS },
  });
  watch.once('message', () => controller.abort(new Interrupted()));
  watch.unref(); // after the listener, which would keep the process alive
  return controller.signal;
}
