import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { showProgress } from '../src/progress.ts';
import { sink } from './run.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What a step of so many seconds writes that does a tenth of its work in each, and a short one after it. */
function watch(isTTY: boolean, seconds: number): string {
  const stderr = Object.assign(sink(), { isTTY });
  {
    using progress = showProgress({ stdout: sink(), stderr, signal: new AbortController().signal });
    for (let done = 0; done <= seconds; done++) {
      progress.update('calibrate', done, 10);
      vi.advanceTimersByTime(1000);
    }
    progress.update('encode', 1, 10);
  }
  return stderr.text();
}

test('a step of more than two seconds gets a bar with the time left, and no timer stays behind', () => {
  expect(watch(true, 5)).toMatch(/calibrate \[=+-+\] 50% \| 5 s left/);
  expect(vi.getTimerCount()).toBe(0);
});

test('a terminal that cannot move its cursor gets none', () => {
  vi.stubEnv('TERM', 'dumb');
  expect(watch(true, 5)).toBe('');
  vi.unstubAllEnvs();
});

test('long times are in minutes', () => {
  const stderr = Object.assign(sink(), { isTTY: true });
  using progress = showProgress({ stdout: sink(), stderr, signal: new AbortController().signal });
  progress.update('download', 0, 1000);
  vi.advanceTimersByTime(3000);
  progress.update('download', 10, 1000);
  expect(stderr.text()).toContain('1% | 5 min left');
});

test('a short step, and a stream that is no terminal, get none', () => {
  expect(watch(true, 1)).toBe('');
  expect(watch(false, 5)).toBe('');
});
