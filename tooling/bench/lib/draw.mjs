// Line plots as SVG text, drawn without a browser.
import * as Plot from '@observablehq/plot';
import { parseHTML } from 'linkedom';

/**
 * One line through the medians, with a bar from the least to the most of the rounds.
 *
 * @param points - { x, median, min, max } each
 * @param scale - 'linear', or 'log' for both axes
 */
export function drawLine({ title, x, y, scale = 'linear', points }) {
  const { document } = parseHTML('<html><body></body></html>');
  const ticks = points.map((point) => point.x);
  const drawn = Plot.plot({
    document,
    width: 640,
    height: 400,
    marginLeft: 60,
    style: { background: 'white', color: 'black', fontSize: '13px' },
    ariaLabel: title,
    x: { label: x, type: scale === 'log' ? 'log' : 'linear', ticks, tickFormat: String },
    y: {
      label: y,
      type: scale === 'log' ? 'log' : 'linear',
      grid: true,
      ...(scale === 'linear' && { zero: true }),
    },
    marks: [
      Plot.lineY(points, { x: 'x', y: 'median' }),
      Plot.ruleX(points, { x: 'x', y1: 'min', y2: 'max', strokeWidth: 3, strokeOpacity: 0.4 }),
      Plot.dot(points, { x: 'x', y: 'median', fill: 'black', r: 3 }),
    ],
  });
  drawn.setAttribute('xmlns', 'http://www.w3.org/2000/svg');
  return `${drawn.outerHTML}\n`;
}
