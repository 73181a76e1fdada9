import { SingleBar } from 'cli-progress';
import type { Session } from './session.ts';

/** Nobody needs a bar for less. */
const PATIENCE_MS = 2000;

export interface Progress extends Disposable {
  /** Moves the bar of the step called `label`, another label ends the bar before it; `detail` stands beside the bar. */
  update(label: string, done: number, total: number, detail?: string): void;
}

/** A step of the work: where it stood when it was first heard of. */
interface Step {
  readonly label: string;
  readonly began: number;
  readonly first: number;
  bar?: SingleBar;
}

/**
 * Bars on stderr, where it is a terminal that can move its cursor, for steps that take more than two seconds. A bar keeps the process alive
 * until it is disposed: await the work before leaving the scope of a `using`.
 */
export function showProgress({ stderr }: Session): Progress {
  let step: Step | undefined;
  return {
    update(label, done, total, detail = '') {
      if (stderr.isTTY !== true || process.env.TERM === 'dumb') return;
      if (step?.label !== label) {
        step?.bar?.stop();
        step = { label, began: performance.now(), first: done };
      }
      const elapsed = performance.now() - step.began;
      if (elapsed < PATIENCE_MS) return;
      const left = timeLeft((elapsed * (total - done)) / (done - step.first));
      if (step.bar === undefined) {
        step.bar = new SingleBar({
          stream: stderr,
          format: '{label} [{bar}] {percentage}% | {left} {detail}',
          clearOnComplete: true,
          gracefulExit: false, // Ctrl-C ends the work first, then the bar
        });
        step.bar.start(total, done, { label, left, detail });
      }
      step.bar.setTotal(total);
      step.bar.update(done, { left, detail });
    },
    [Symbol.dispose]: () => step?.bar?.stop(),
  };
}

function timeLeft(milliseconds: number): string {
  if (!Number.isFinite(milliseconds)) return '';
  const seconds = Math.ceil(milliseconds / 1000);
  return seconds < 100 ? `${seconds} s left` : `${Math.ceil(seconds / 60)} min left`;
}
