import { useSignal } from '@preact/signals';
import { METRICS, obs } from '@spikellm/saliency';
import { useCallback, useMemo } from 'preact/hooks';
import type { SaliencyMap } from '../../engine/calibrate.ts';
import { spiking } from '../../engine/client.ts';
import { Checkbox, Select } from '../../ui/controls.tsx';
import { Figure } from '../../ui/figure.tsx';
import { mapRows, type MapRow } from './heat-map-cells.ts';
import { createMap, type MapPlace } from './heat-map-plot.ts';
import { scale, SCALES, selected, sorted, type Selection } from './state.ts';
import { siteTitle } from '../../engine/titles.ts';

/** The saliency of every input, channel by channel, with the chosen steps; a channel of it can be selected. */
export function HeatMap({ found }: { readonly found: SaliencyMap }) {
  const { value: made } = spiking;
  const { value: at } = selected;
  const hovered = useSignal<Selection | undefined>(undefined);
  const rows = useMemo(() => mapRows(found, made?.steps, sorted.value), [found, made?.steps, sorted.value]);
  const plot = useMemo(
    () => createMap({ rows, scale: scale.value, sorted: sorted.value }),
    [rows, scale.value, sorted.value],
  );
  const draw = useCallback(
    (width: number) => {
      const { element, placeOf } = plot(width, at);
      const under = (event: MouseEvent): Selection | undefined => {
        const place = placeOf(event);
        return place && channelAt(rows, place);
      };
      element.style.cursor = 'crosshair';
      element.addEventListener('pointermove', (event) => (hovered.value = under(event)));
      element.addEventListener('pointerleave', () => (hovered.value = undefined));
      element.addEventListener('click', (event) => (selected.value = under(event) ?? selected.peek()));
      return element;
    },
    [plot, rows, at],
  );
  const { samples, seed, rotate } = found.request;
  return (
    <>
      <div class="row">
        <Checkbox label="Sort the channels of each input" signal={sorted} />
        <div class="inline">
          <Select label="Colour scale" signal={scale} choices={SCALES} />
        </div>
      </div>
      <div
        class="map"
        tabIndex={0}
        role="application"
        aria-label="Heat map; arrow keys select a channel, Home and End the first and the last"
        onKeyDown={(event) => {
          const next = step(rows, selected.peek(), event.key);
          if (next === undefined) return;
          event.preventDefault();
          selected.value = next;
        }}
      >
        <Figure
          title="Saliency by input and channel"
          description={describe(found, made !== undefined)}
          draw={draw}
          rows={() => rows.flatMap(csvRows)}
        >
          Published saliency of the{rotate === 'none' ? '' : ' rotated'} float model over {samples} windows
          (seed {seed}), summed over the linears that share an input and divided by the mean of its
          magnitudes; what is not above 0 has the lowest colour. {marksSentence(made?.config)}
        </Figure>
      </div>
      <p class="under" aria-live="polite">
        {sayChannel(rows, hovered.value ?? at) ?? 'Click a channel, or use the arrow keys, to look into it.'}
      </p>
    </>
  );
}

function describe({ rows }: SaliencyMap, marked: boolean): string {
  const layers = new Set(rows.map(({ layer }) => layer)).size;
  return `Heat map of the saliency of the channels of ${rows.length} inputs in ${layers} layers${marked ? ', with the steps that were chosen' : ''}`;
}

/** What the marks mean, given how the steps were chosen. */
function marksSentence(config: NonNullable<typeof spiking.value>['config'] | undefined): string {
  if (config === undefined) return 'A run draws the steps that were chosen below each row.';
  const { saliency, steps } = config.activations;
  if (steps === 1) return 'The spiking model has one step everywhere.';
  return `Marks below a row are channels with more than one step.${rankedSentence(saliency)}`;
}

/** How channels were ranked, where it was not by what is coloured. */
function rankedSentence(saliency: string): string {
  if (saliency === obs.name) return '';
  const metric = METRICS.find(({ name }) => name === saliency);
  if (metric?.needs === 'nothing') return ' They were drawn at random.';
  const over = metric !== undefined && 'gains' in metric ? ', over all layers together,' : '';
  return ` They were ranked by ${saliency} saliency${over} and not by what is coloured here.`;
}

function csvRows({ layer, group, scores, relative, steps }: MapRow) {
  return Array.from(scores, (score, channel) => ({
    layer,
    input: group,
    channel,
    saliency: score,
    'over the mean': relative[channel],
    steps: steps?.[channel] ?? null,
  }));
}

/** The channel of a place: where several fall on it, the most salient one, whose colour is seen. */
function channelAt(rows: readonly MapRow[], { row, share, width = 0 }: MapPlace): Selection {
  const { layer, group, order, relative } = rows[row];
  const from = Math.floor(share * order.length);
  const channels = order.subarray(from, Math.max(from + 1, Math.floor((share + width) * order.length)));
  return {
    layer,
    group,
    channel: channels.reduce((best, next) => (relative[next] > relative[best] ? next : best)),
  };
}

/** The channel that a key leads to; undefined for other keys. The first arrow selects the first channel. */
function step(rows: readonly MapRow[], at: Selection | undefined, key: string): Selection | undefined {
  const keys = ['ArrowLeft', 'ArrowRight', 'ArrowUp', 'ArrowDown', 'Home', 'End', 'PageUp', 'PageDown'];
  if (!keys.includes(key)) return undefined;
  const row = rows.findIndex(({ layer, group }) => layer === at?.layer && group === at.group);
  if (at === undefined || row < 0) return channelAt(rows, { row: 0, share: 0 });
  const { order } = rows[row];
  const place = order.indexOf(at.channel);
  const within = (to: number): Selection =>
    channelAt(rows, { row, share: (Math.min(order.length - 1, Math.max(0, to)) + 0.5) / order.length });
  const across = (to: number): Selection =>
    channelAt(rows, {
      row: Math.min(rows.length - 1, Math.max(0, to)),
      share: (place + 0.5) / order.length,
    });
  const page = Math.ceil(order.length / 10);
  switch (key) {
    case 'ArrowLeft':
      return within(place - 1);
    case 'ArrowRight':
      return within(place + 1);
    case 'PageUp':
      return within(place - page);
    case 'PageDown':
      return within(place + page);
    case 'Home':
      return within(0);
    case 'End':
      return within(order.length - 1);
    case 'ArrowUp':
      return across(row - 1);
    default:
      return across(row + 1);
  }
}

function sayChannel(rows: readonly MapRow[], at: Selection | undefined): string | undefined {
  const row = rows.find(({ layer, group }) => layer === at?.layer && group === at.group);
  const score = at && row?.relative[at.channel];
  if (at === undefined || row === undefined || score === undefined) return undefined;
  const T = row.steps?.[at.channel];
  return `Layer ${row.layer}, input of ${siteTitle(row.group)}, channel ${at.channel}: saliency ${score.toPrecision(3)} times the mean${T === undefined ? '' : `, T = ${T}`}`;
}
