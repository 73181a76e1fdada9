import { FLOAT_BITS } from '@spikellm/graph';
import { useCallback } from 'preact/hooks';
import { spiking } from '../../engine/client.ts';
import { chosen } from '../../engine/settings.ts';
import { siteTitle } from '../../engine/titles.ts';
import { theme } from '../../theme.ts';
import { Figure } from '../../ui/figure.tsx';
import { visible } from './divergence.ts';
import { drawRaster, rasterRows } from './raster.ts';
import { drawRates, rateRows } from './rates.ts';
import { conversation, cost, phase, place, shown, spikes } from './session.ts';

/** How the inputs of most models are called; others by their readers. */
const INPUTS: Readonly<Record<string, string>> = {
  qkv: 'Input of attention (q, k, v)',
  o: 'Output of attention (o)',
  gate_up: 'Input of the MLP (gate, up)',
  down: 'Hidden layer of the MLP (down)',
};
const titleOf = (group: string): string => INPUTS[group] ?? `Input of ${siteTitle(group)}`;

/** The spike raster of the token that is looked at, and how often each layer fires. */
export function Spikes() {
  const { value: seen } = spikes;
  const { value: made } = spiking;
  const { value: token } = shown;
  const waits = place.value !== undefined && seen?.place !== place.value;
  const bits = made?.config.activations.bits ?? chosen.activationBits.value;
  if (bits >= FLOAT_BITS) return <NoSpikes />;
  const levels = 2 ** bits - 1;
  const groups = seen ? [...new Set(seen.inputs.map(({ group }) => group))] : Object.keys(INPUTS);
  return (
    <section class="panel stack" aria-labelledby="spikes" aria-busy={waits}>
      <div>
        <h2 id="spikes">
          Spikes{token && ` of “${visible(token.text)}”`}
          <span class="soft">{waits && (phase.value === 'rest' ? ' ...' : ' after the reply')}</span>
        </h2>
        <p class="soft small">
          What the linears of the spiking model are sent while it reads this token: each channel is a GIF
          neuron (<a href="https://arxiv.org/abs/2407.04752">arXiv 2407.04752</a>) that emits 0 to {levels}{' '}
          levels in a step. Time runs to the right, layer by layer; salient channels fire in more steps. A
          code has a zero point, so that an activation of 0 fires too.
        </p>
      </div>
      <div class="rasters">
        <div class="stack">
          {groups.slice(0, -1).map((group) => (
            <Raster key={group} group={group} levels={levels} />
          ))}
        </div>
        <div class="stack">
          {groups.slice(-1).map((group) => (
            <Raster key={group} group={group} levels={levels} />
          ))}
          <Rates levels={levels} />
        </div>
      </div>
    </section>
  );
}

const NoSpikes = () => (
  <section class="panel" aria-labelledby="spikes">
    <h2 id="spikes">Spikes</h2>
    <p class="soft">None: the activations of this checkpoint are floats.</p>
  </section>
);

function Raster({ group, levels }: { readonly group: string; readonly levels: number }) {
  const inputs = spikes.value?.inputs.filter((input) => input.group === group) ?? [];
  const { value: colours } = theme;
  const draw = useCallback(
    (width: number) => drawRaster(inputs, levels, width),
    [spikes.value, levels, colours],
  );
  if (inputs.length === 0) return <Waiting title={titleOf(group)} />;
  return (
    <Figure
      title={titleOf(group)}
      description={`Spike raster of ${inputs[0].steps.length} channels over the time steps of ${inputs.length} layers`}
      draw={draw}
      rows={() => rasterRows(inputs, levels)}
    />
  );
}

function Rates({ levels }: { readonly levels: number }) {
  const inputs = spikes.value?.inputs;
  const layers = cost.value?.reports.spiking.layers;
  const rates = (layers ?? []).map(({ firingRate }) => firingRate ?? 0);
  const rows = rateRows(rates, inputs, levels);
  const draw = useCallback((width: number) => drawRates(rows, width), [inputs, layers, levels]);
  const title = 'Firing rate of each layer';
  if (layers === undefined) return <Waiting title={title} />;
  return (
    <Figure
      title={title}
      description={rows.map(({ layer, reply }) => `layer ${layer} ${(100 * reply).toFixed(1)} %`).join(', ')}
      draw={draw}
      rows={() => rows.map(({ layer, reply, token }) => ({ layer, reply, token: token ?? null }))}
    >
      Levels emitted over the levels that could be: a dot is the mean over the text, a ring the token.
    </Figure>
  );
}

function Waiting({ title }: { readonly title: string }) {
  const { value: said } = conversation;
  return (
    <div>
      <h3>{title}</h3>
      <p class="soft small">{said ? 'Point at a token of the texts.' : 'Let the models speak first.'}</p>
    </div>
  );
}
