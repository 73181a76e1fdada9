import * as Plot from '@observablehq/plot';
import { useCallback } from 'preact/hooks';
import type { ChannelView } from '../../engine/channel.ts';
import { Figure } from '../../ui/figure.tsx';
import { map, rowOf, selected, view } from './state.ts';
import { siteTitle } from '../../engine/titles.ts';

/** The selected channel before and after encoding, and what other steps would do to it. */
export function ChannelPanel() {
  const { value: found } = map;
  const { value: at } = selected;
  if (found === undefined || at === undefined) return null;
  const known = rowOf(found, at) !== undefined;
  const { value: seen } = view;
  const current =
    seen?.request.layer === at.layer &&
    seen.request.group === at.group &&
    seen.request.channel === at.channel;
  return (
    <section class="panel" aria-labelledby="channel">
      <h2 id="channel">
        Layer {at.layer}, input of {siteTitle(at.group)}, channel {at.channel}
      </h2>
      {!known ? (
        <p class="soft">This model has no such channel.</p>
      ) : seen && current ? (
        <Channel seen={seen} />
      ) : (
        <p class="soft empty">Reading its activations ...</p>
      )}
    </section>
  );
}

function Channel({ seen }: { readonly seen: ChannelView }) {
  const { request, tokens, errors, power } = seen;
  const { steps, bits, statistics } = request;
  const draw = useCallback((width: number) => drawHistogram(seen, width), [seen]);
  const encoded = errors.length > 0;
  return (
    <div class="columns channel">
      <Figure
        title="Activations before and after encoding"
        description={`Histogram of one channel over ${tokens} tokens, before and after encoding with T = ${steps}`}
        draw={draw}
        rows={() => histogramRows(seen)}
      >
        {tokens.toLocaleString('en')} tokens of the calibration windows:{' '}
        <span class="key before">x of the {statistics.rotate === 'none' ? '' : 'rotated '}float model</span>
        {encoded ? (
          <>
            {' and '}
            <span class="key after">decode(encode(x))</span> with{' '}
            {steps === 1 ? 'one step' : `${steps} steps`} of {bits} bits, each token with the scale and zero
            point of its full row. SmoothQuant and OmniQuant scale x before that.
          </>
        ) : (
          ', which the spiking model leaves in float.'
        )}
      </Figure>
      {encoded && (
        <table>
          <caption>Mean squared error of this channel</caption>
          <thead>
            <tr>
              <th scope="col">steps T</th>
              <th scope="col">error</th>
              <th scope="col">of mean x²</th>
            </tr>
          </thead>
          <tbody>
            {errors.map(({ steps: T, meanSquare }) => (
              <tr key={T} class={T === steps ? 'strong' : undefined}>
                <th scope="row">
                  {T}
                  {T === steps ? ', as it is' : ''}
                </th>
                <td>{meanSquare.toPrecision(3)}</td>
                <td>{power > 0 ? `${((100 * meanSquare) / power).toPrecision(3)} %` : '-'}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

interface Bin {
  readonly from: number;
  readonly to: number;
  readonly before: number;
  readonly after: number;
}

const binsOf = ({ edges, before, after }: ChannelView): Bin[] =>
  Array.from(before, (count, i) => ({ from: edges[i], to: edges[i + 1], before: count, after: after[i] }));

const histogramRows = (seen: ChannelView) => binsOf(seen).map((bin) => ({ ...bin }));

function drawHistogram(seen: ChannelView, width: number): Element {
  const bins = binsOf(seen);
  const encoded = seen.errors.length > 0;
  const tips = { x1: 'from', x2: 'to', title: (bin: Bin) => tipOf(bin, encoded) } as const;
  return Plot.plot({
    width,
    height: 240,
    marginLeft: 46,
    x: { label: 'activation', labelAnchor: 'center', labelArrow: 'none', nice: true },
    y: { label: 'tokens', labelArrow: 'none', grid: true, zero: true },
    marks: [
      Plot.rectY(bins, {
        x1: 'from',
        x2: 'to',
        y: 'before',
        fill: 'var(--grey)',
        fillOpacity: 0.45,
        inset: 0,
      }),
      ...(encoded
        ? [
            Plot.rectY(bins, {
              x1: 'from',
              x2: 'to',
              y: 'after',
              fill: 'var(--blue)',
              fillOpacity: 0.18,
              stroke: 'var(--blue)',
              strokeWidth: 1.2,
              filter: ({ after }: Bin) => after > 0,
              inset: 0.5,
            }),
          ]
        : []),
      Plot.ruleY([0]),
      Plot.tip(bins, Plot.pointerX({ ...tips, y: ({ before, after }: Bin) => Math.max(before, after) })),
    ],
  });
}

const tipOf = ({ from, to, before, after }: Bin, encoded: boolean): string =>
  `${from.toPrecision(3)} to ${to.toPrecision(3)}\nx: ${before} tokens${encoded ? `\ndecoded: ${after} tokens` : ''}`;
