/** How much of what they could emit the neurons of each layer emit. */
import * as Plot from '@observablehq/plot';
import type { TokenSpikes } from '@spikellm/evaluation';

export interface LayerRate {
  readonly layer: number;
  /** Mean over the text, 0 to 1. */
  readonly reply: number;
  /** Of the token that is looked at. */
  readonly token: number | undefined;
}

/** @param reply - of each layer */
export const rateRows = (
  reply: readonly number[],
  inputs: readonly TokenSpikes[] | undefined,
  levels: number,
): LayerRate[] =>
  reply.map((rate, layer) => ({ layer, reply: rate, token: inputs && rateOf(inputs, layer, levels) }));

function rateOf(inputs: readonly TokenSpikes[], layer: number, levels: number): number {
  let emitted = 0;
  let most = 0;
  for (const { steps, codes } of inputs.filter((input) => input.layer === layer)) {
    codes.forEach((code, channel) => {
      emitted += Math.min(code, steps[channel] * levels);
      most += steps[channel] * levels;
    });
  }
  return emitted / most;
}

export function drawRates(rows: readonly LayerRate[], width: number): Element {
  const layers = rows.map(({ layer }) => layer);
  const one = rows.filter(({ token }) => token !== undefined);
  return Plot.plot({
    width,
    height: 24 * rows.length + 56,
    marginLeft: 44,
    marginRight: 16,
    x: { domain: [0, 100], label: 'firing rate (%)', labelAnchor: 'center', labelArrow: 'none', grid: true },
    y: {
      type: 'point',
      domain: layers,
      label: 'layer',
      labelAnchor: 'center',
      labelArrow: 'none',
      padding: 0.5,
    },
    marks: [
      Plot.ruleY(rows, { x1: 0, x2: (row: LayerRate) => 100 * row.reply, y: 'layer', stroke: 'var(--line)' }),
      Plot.dot(rows, { x: (row: LayerRate) => 100 * row.reply, y: 'layer', fill: 'var(--blue)', r: 4 }),
      Plot.dot(one, { x: (row: LayerRate) => 100 * row.token!, y: 'layer', stroke: 'var(--orange)', r: 6 }),
      Plot.tip(
        rows,
        Plot.pointerY({
          x: (row: LayerRate) => 100 * row.reply,
          y: 'layer',
          title: ({ layer, reply, token }: LayerRate) =>
            `layer ${layer}: ${(100 * reply).toFixed(1)} %` +
            (token === undefined ? '' : `, this token ${(100 * token).toFixed(1)} %`),
        }),
      ),
    ],
  });
}
