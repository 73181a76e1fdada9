import { texts } from '@spikellm/demo-model';
import { useEffect } from 'preact/hooks';
import { backendChoice, ready, spiking } from '../../engine/client.ts';
import { TextArea } from '../../ui/controls.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Working } from '../../ui/working.tsx';
import { ChannelPanel } from './channel-panel.tsx';
import { Download } from './download.tsx';
import { HeatMap } from './heat-map.tsx';
import { OpenModel } from './open-model.tsx';
import { ResultTable } from './results.tsx';
import { SettingsPanel } from './settings-panel.tsx';
import {
  bundledText,
  calibrate,
  followSelection,
  map,
  measureOpened,
  problem,
  text,
  unable,
  wasStopped,
} from './state.ts';

export function Room() {
  useEffect(followSelection, []);
  useEffect(() => void fetchText(), []);
  return (
    <>
      <h1>Calibrate</h1>
      <p>
        Turns the float model into a spiking one, here in your browser: weights are rounded, activations
        become spike counts, and the salient channels get more spike steps T, as in{' '}
        <a href="https://arxiv.org/abs/2407.04752">SpikeLLM</a>. Then the perplexity of both is measured.
      </p>
      <div class="room">
        <div class="stack">
          <SettingsPanel />
          <OpenModel />
        </div>
        <div class="stack">
          <RunPanel />
          <section class="panel" aria-labelledby="saliency">
            <h2 id="saliency">Which channels matter</h2>
            {map.value ? (
              <HeatMap found={map.value} />
            ) : (
              <p class="soft empty">
                The saliency of every channel is found from a few windows of the calibration text as soon as
                the model is open, or with a run.
              </p>
            )}
          </section>
          <ChannelPanel />
        </div>
      </div>
    </>
  );
}

async function fetchText(): Promise<void> {
  if (bundledText.peek() !== undefined) return;
  try {
    const response = await fetch(texts.evaluation);
    if (!response.ok) throw new Error(`status ${response.status}`);
    bundledText.value = await response.text();
  } catch (error) {
    problem.value = `The bundled evaluation text could not be fetched (${String(error)}): paste a text of your own.`;
    bundledText.value = '';
  }
  text.value ??= bundledText.value;
}

/** The text, the button that does it all, and what came of it. */
function RunPanel() {
  const opened = spiking.value?.request === null;
  const given = text.value ?? '';
  const isBundled = given === bundledText.value;
  const blocked = !ready.value || text.value === undefined;
  return (
    <section class="panel" aria-labelledby="run">
      <h2 id="run">Perplexity</h2>
      <TextArea
        label="Text to predict"
        signal={text}
        rows={4}
        disabled={text.value === undefined}
        help={
          isBundled
            ? 'The bundled evaluation text, fairy tales that the model has not seen. Windows of 256 tokens, at most 16.'
            : 'Your text, which stays in this page. Windows of 256 tokens, at most 16.'
        }
      />
      <div class="row">
        <button
          type="button"
          class="main"
          disabled={blocked || unable.value !== undefined}
          onClick={() => void calibrate()}
        >
          Calibrate and measure
        </button>
        {opened && (
          <button type="button" disabled={blocked} onClick={() => void measureOpened()}>
            Measure the opened checkpoint
          </button>
        )}
        {!isBundled && bundledText.value !== undefined && (
          <button type="button" onClick={() => (text.value = bundledText.value)}>
            Back to the bundled text
          </button>
        )}
        <Download />
      </div>
      {unable.value !== undefined && (
        <Notice>
          {unable.value} Take round-to-nearest or SmoothQuant with obs saliency, or{' '}
          <button type="button" class="link" onClick={() => (backendChoice.value = 'wasm')}>
            WebAssembly
          </button>
          .
        </Notice>
      )}
      <div class="status">
        <Working />
        {problem.value !== undefined && <Notice kind="error">{problem.value}</Notice>}
        {wasStopped.value && (
          <Notice>Stopped. {spiking.value && 'The spiking model is the one of before.'}</Notice>
        )}
      </div>
      <ResultTable />
    </section>
  );
}
