import { useEffect } from 'preact/hooks';
import { bytes, count } from '../ui/format.ts';
import { Notice } from '../ui/notice.tsx';
import { activity, backend, model, startEngine, trouble } from './client.ts';

/** The last line of the page: what runs where. */
export function EngineLine() {
  // After the page is drawn: the model is the last thing that a first visit waits for.
  useEffect(startEngine, []);
  const { value: opened } = backend;
  const { value: float } = model;
  const { value: busy } = activity;
  return (
    <>
      {trouble.value !== undefined && <Notice kind="error">{trouble.value}</Notice>}
      <p class="engine" role="status">
        <span class={`lamp ${busy ? 'busy' : opened && float ? 'on' : ''}`} aria-hidden="true" />
        {busy ? `${busy.what} ... ` : ''}
        {opened && <span>{opened.report.device}</span>}
        {float && (
          <span>
            {float.name}, {count(float.parameters)} parameters, {bytes(float.bytes)}
          </span>
        )}
        {!crossOriginIsolated && <span>one thread, since the page is not isolated</span>}
      </p>
    </>
  );
}
