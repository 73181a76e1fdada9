import { useEffect } from 'preact/hooks';
import { backend, model, spiking, stop } from '../../engine/client.ts';
import { request } from '../../engine/settings.ts';
import { titleOf } from '../../engine/titles.ts';
import { NumberField, Slider, TextArea } from '../../ui/controls.tsx';
import { Notice } from '../../ui/notice.tsx';
import { Working } from '../../ui/working.tsx';
import { room } from '../../url-state.ts';
import { CostOfReply } from './cost.tsx';
import { Expectations } from './expectations.tsx';
import { followReader } from './look.ts';
import { options } from './options.ts';
import { phase, speak, trouble } from './session.ts';
import './speak.css';
import { Spikes } from './spikes.tsx';
import { Legend, Texts } from './texts.tsx';

export function Room() {
  useEffect(followReader, []);
  return (
    <>
      <h1>Speak</h1>
      <p>
        The float model and the spiking one go on with the same prompt, side by side. Over each text both
        models run, so that every token shows how far spikes moved its probabilities.
      </p>
      <div class="room">
        <Controls />
        <div class="stack">
          <section class="panel stack" aria-label="Replies">
            {trouble.value !== undefined && <Notice kind="error">{trouble.value}</Notice>}
            {phase.value === 'preparing' && <Working />}
            <Texts />
            <Legend />
            <Expectations />
          </section>
          <Spikes />
          <CostOfReply />
        </div>
      </div>
    </>
  );
}

/** Beside the replies there is room for all options; above them they would hide the replies. */
const WIDE = '(min-width: 821px)';

function Controls() {
  const { prompt, maxTokens, temperature, topK, topP, seed } = options;
  const greedy = temperature.value === 0;
  const context = model.value?.contextLength ?? 256;
  return (
    <form
      class="panel"
      aria-label="Prompt and sampling"
      onSubmit={(event) => {
        event.preventDefault();
        if (phase.value === 'rest') void speak();
      }}
    >
      <TextArea label="Prompt" signal={prompt} rows={4} />
      <SpeakButton />
      <details class="sampling" open={matchMedia(WIDE).matches}>
        <summary>Sampling</summary>
        <NumberField
          label="Tokens of each text"
          signal={maxTokens}
          min={1}
          max={Math.max(context, maxTokens.value)}
        />
        <Slider
          label="Temperature"
          signal={temperature}
          min={0}
          max={2}
          step={0.05}
          help={greedy ? 'At 0 the likeliest token is taken.' : 'Both models draw with the same seed.'}
        />
        <NumberField
          label="Top k"
          signal={topK}
          min={0}
          max={1000}
          disabled={greedy}
          help="Only the k likeliest tokens; 0 for all."
        />
        <Slider
          label="Top p"
          signal={topP}
          min={0.05}
          max={1}
          step={0.05}
          disabled={greedy}
          help="Only the likeliest tokens of this share."
        />
        <NumberField label="Seed" signal={seed} min={0} max={2 ** 32 - 1} disabled={greedy} />
      </details>
      <SpikingModel />
    </form>
  );
}

function SpeakButton() {
  const closed = backend.value === undefined || model.value === undefined;
  return (
    <p class="row">
      {phase.value === 'speaking' ? (
        <button type="button" class="main" onClick={() => void stop()}>
          Stop
        </button>
      ) : (
        <button type="submit" class="main" disabled={closed || phase.value === 'preparing'}>
          Speak
        </button>
      )}
    </p>
  );
}

/** With the settings as they are, which the bare link would take back. */
function toCalibrate(event: MouseEvent): void {
  event.preventDefault();
  room.value = 'calibrate';
}

/** Which model the spiking one is, or will be. */
function SpikingModel() {
  const { value: made } = spiking;
  if (made?.request === null) return <p class="soft small">Spiking model: {made.name}, a checkpoint.</p>;
  return (
    <p class="soft small">
      Spiking model: {titleOf(request.value.settings)}.{' '}
      {made === undefined && 'It is made at the first reply. '}
      <a href="#/calibrate" onClick={toCalibrate}>
        Change it
      </a>
    </p>
  );
}
