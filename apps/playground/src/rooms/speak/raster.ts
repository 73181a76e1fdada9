/** The spikes of one token at one kind of input, all layers: time steps in x, channels in y, levels as intensity. */
import * as Plot from '@observablehq/plot';
import type { TokenSpikes } from '@spikellm/evaluation';
import { unroll } from '@spikellm/neurons';
import type { Row } from '../../ui/export.ts';

/** Empty columns between layers, in steps. */
const GAP = 0.6;
/** Pixels: a channel has one of its own where they are enough. */
const MOST_HEIGHT = 640;
const MARGINS = { marginTop: 8, marginBottom: 36, marginLeft: 44, marginRight: 8 };

export function drawRaster(inputs: readonly TokenSpikes[], levels: number, width: number): Element {
  const channels = inputs[0].steps.length;
  const longest = Math.max(...inputs.map(({ steps }) => Math.max(...steps)));
  const slot = longest + GAP;
  const start = (index: number): number => index * slot;
  const style = getComputedStyle(document.documentElement);
  const colour = (name: string): string => style.getPropertyValue(name).trim();
  const neurons = inputs.flatMap(({ layer, steps, codes }, index) =>
    codes.map((code, channel) => ({
      x: start(index) + steps[channel] / 2,
      y: channel + 0.5,
      title:
        `layer ${layer}, channel ${channel}: ` +
        `${unroll(code, steps[channel], levels).join(' + ')} in ${steps[channel] === 1 ? 'one step' : `${steps[channel]} steps`}`,
    })),
  );
  return Plot.plot({
    width,
    height: Math.min(channels, MOST_HEIGHT) + MARGINS.marginTop + MARGINS.marginBottom,
    ...MARGINS,
    x: { domain: [0, start(inputs.length) - GAP], label: null },
    y: { domain: [0, channels], label: 'channel', labelAnchor: 'center', labelArrow: 'none', ticks: 4 },
    color: {
      type: 'linear',
      domain: [0, levels],
      range: [colour('--shade'), colour('--blue')],
      interpolate: 'lab',
    },
    marks: [
      inputs.map((input, index) =>
        Plot.raster(levelsOf(input, levels, longest), {
          width: longest,
          height: channels,
          x1: start(index),
          x2: start(index) + longest,
          y1: 0,
          y2: channels,
          imageRendering: 'pixelated',
        }),
      ),
      Plot.axisX(
        inputs.map((_, index) => start(index) + longest / 2),
        {
          tickFormat: (_, index) => String(inputs[index].layer),
          tickSize: 0,
          label: `layer, ${longest === 1 ? 'one time step' : `${longest} time steps`} in each`,
          labelAnchor: 'center',
          labelArrow: 'none',
        },
      ),
      Plot.tip(neurons, Plot.pointer({ x: 'x', y: 'y', title: 'title', maxRadius: 12 })),
    ],
  });
}

/** Levels of every channel and step, row by row; NaN where the train of a channel has ended. */
function levelsOf({ steps, codes }: TokenSpikes, levels: number, longest: number): Float32Array {
  const grid = new Float32Array(codes.length * longest).fill(Number.NaN);
  codes.forEach((code, channel) => grid.set(unroll(code, steps[channel], levels), channel * longest));
  return grid;
}

/** One row a spike step. */
export const rasterRows = (inputs: readonly TokenSpikes[], levels: number): Row[] =>
  inputs.flatMap(({ layer, group, steps, codes }) =>
    codes.flatMap((code, channel) =>
      unroll(code, steps[channel], levels).map((level, step) => ({ layer, group, channel, step, level })),
    ),
  );
