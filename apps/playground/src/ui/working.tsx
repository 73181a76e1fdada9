import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { activity, stop } from '../engine/client.ts';
import { duration } from './format.ts';

/** Counts of bytes and the like are shown as a share. */
const MANY = 1e6;

/** The work that runs: how far it is, how long it may still take, and a button that stops it. Nothing at rest. */
export function Working() {
  const now = useSignal(performance.now());
  useEffect(() => {
    const timer = setInterval(() => (now.value = performance.now()), 500);
    return () => clearInterval(timer);
  }, []);
  const { value: busy } = activity;
  if (busy === undefined) return null;
  const { what, done, total, since } = busy;
  const seconds = Math.max(0, now.value - since) / 1000;
  const left = done > 0 && seconds > 1 ? (seconds * (total - done)) / done : undefined;
  return (
    <div class="working" role="group" aria-label="Work under way">
      <progress aria-label={what} {...(total > 0 && { value: done, max: total })} />
      <span>
        {what}
        {total > 0 && (total > MANY ? ` ${((100 * done) / total).toFixed(0)} %` : ` ${done} / ${total}`)}
        {left !== undefined && `, ${duration(left)} left`}
      </span>
      <button type="button" onClick={() => void stop()}>
        Stop
      </button>
    </div>
  );
}
