import { SingleBar } from 'cli-progress';
import type { Session } from './session.ts';

/** Nobody needs a bar for less. */
const PATIENCE_MS = 2000;

export interface Progress extends Disposable {
  /** Moves the bar of the step called `label`; another label ends the bar before it. */
  update(label: string, done: number, total: number): void;
}

/** Bars on stderr, where it is a terminal, for steps that take more than two seconds. */
export function showProgress({ stderr }: Session): Progress {
  let step = '';
  let began = 0;
  let bar: SingleBar | undefined;
  const stop = (): void => {
    bar?.stop();
    bar = undefined;
  };
  return {
    update(label, done, total) {
      if (stderr.isTTY !== true) return;
      if (label !== step) {
        stop();
        step = label;
        began = performance.now();
      }
      if (bar === undefined) {
        if (performance.now() - began < PATIENCE_MS) return;
        bar = new SingleBar({
          stream: stderr,
          format: '{label} [{bar}] {percentage}% | {eta_formatted} left',
          clearOnComplete: true,
          gracefulExit: false, // Ctrl-C ends the work first, then the bar
        });
        bar.start(total, done, { label });
      }
      bar.setTotal(total);
      bar.update(done);
    },
    [Symbol.dispose]: stop,
  };
}
