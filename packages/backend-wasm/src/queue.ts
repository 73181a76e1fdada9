/** Work in order, a slice at a time: between slices timers, signals and the page have their turn. */
import { nextTurn } from '@spikellm/backend';

/** So long a slice lasts, and the piece of work that it ends with. */
const SLICE_MILLISECONDS = 8;

export interface Queue {
  readonly idle: boolean;
  /** Work that never throws. */
  push(work: () => void): void;
  /** Does what waits, now. */
  drain(): void;
}

export function createQueue(): Queue {
  let waiting: (() => void)[] = [];
  let next = 0;
  let working = false;

  const workUntil = (end: number): void => {
    while (next < waiting.length && performance.now() < end) waiting[next++]();
    if (next < waiting.length) return;
    waiting = [];
    next = 0;
  };
  async function workOff(): Promise<void> {
    working = true;
    do {
      // Slices come one after the other.
      await nextTurn();
      workUntil(performance.now() + SLICE_MILLISECONDS);
    } while (waiting.length > 0);
    working = false;
  }

  return {
    get idle() {
      return waiting.length === 0;
    },
    push(work) {
      waiting.push(work);
      if (!working) void workOff();
    },
    drain: () => workUntil(Infinity),
  };
}
