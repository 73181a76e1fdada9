/** The membrane of a neuron above its spikes, step by step. */
import * as Plot from '@observablehq/plot';
import { decimal } from '../../ui/format.ts';
import type { LabNeuron, Moment } from './neurons.ts';
import { stacked } from './stacked.ts';

export interface MembraneView {
  readonly neuron: LabNeuron;
  /** All T steps, of which the first `shown` are drawn. */
  readonly moments: readonly Moment[];
  readonly shown: number;
  /** Of the membrane axis: shared, so that neurons compare. */
  readonly domain: readonly [number, number];
  readonly colour: string;
}

export function drawMembrane(view: MembraneView, width: number): Element {
  return stacked([membrane(view, width), train(view, width)]);
}

const MARGINS = { marginLeft: 34, marginRight: 8 };

function membrane({ neuron, moments, shown, domain, colour }: MembraneView, width: number) {
  const seen = moments.slice(0, shown);
  const fired = seen.filter(({ spikes }) => spikes !== 0);
  // Charged from step to step, then reset at once.
  const path = [
    { x: 0, y: neuron.start },
    ...seen.flatMap(({ step, charged, after }) => [
      { x: step, y: charged },
      { x: step, y: after },
    ]),
  ];
  return Plot.plot({
    width,
    height: 190,
    ...MARGINS,
    marginTop: 20,
    marginBottom: 8,
    style: { fontSize: '11px' },
    x: { domain: [0, moments.length + 0.6], axis: null },
    y: { domain, label: 'membrane (units of input)', labelArrow: 'none', ticks: 5, nice: true },
    marks: [
      Plot.ruleY([0], { strokeOpacity: 0.4 }),
      Plot.ruleY(
        neuron.thresholds.filter((at) => at <= domain[1] && at >= domain[0]),
        { stroke: 'var(--red)', strokeOpacity: 0.65, strokeDasharray: '4 3' },
      ),
      Plot.ruleX(seen.slice(-1), { x: 'step', stroke: 'currentColor', strokeOpacity: 0.12, strokeWidth: 6 }),
      Plot.line(path, { x: 'x', y: 'y', stroke: colour, strokeWidth: 1.6, strokeLinejoin: 'round' }),
      Plot.dot(fired, { x: 'step', y: 'charged', r: 2.6, fill: colour }),
      Plot.dot(fired, {
        x: 'step',
        y: 'after',
        r: 2.6,
        fill: 'var(--panel)',
        stroke: colour,
        strokeWidth: 1.3,
      }),
      Plot.tip(seen, Plot.pointerX({ x: 'step', y: 'charged', title: tipOf })),
    ],
  });
}

const tipOf = ({ step, input, charged, spikes, after }: Moment): string =>
  [
    `step ${step}, input ${decimal(input)}`,
    `charged to ${decimal(charged)}`,
    `spike ${decimal(spikes)}`,
    `left with ${decimal(after)}`,
  ].join('\n');

function train({ neuron: { least, most }, moments, shown, colour }: MembraneView, width: number) {
  const seen = moments.slice(0, shown);
  const steps = moments.length;
  return Plot.plot({
    width,
    height: 116,
    ...MARGINS,
    marginTop: 20,
    marginBottom: 34,
    style: { fontSize: '11px' },
    x: {
      domain: [0, steps + 0.6],
      label: 'time step',
      labelAnchor: 'center',
      labelArrow: 'none',
      ticks: ticksTo(steps),
      tickFormat: 'd',
      tickSize: 3,
    },
    y: {
      domain: [least, most],
      label: 'spikes',
      labelArrow: 'none',
      tickFormat: 'd',
      tickSize: 3,
      ticks: least < 0 ? [-1, 0, 1] : ticksFrom0(most),
    },
    marks: [
      Plot.ruleX(seen.slice(-1), { x: 'step', stroke: 'currentColor', strokeOpacity: 0.12, strokeWidth: 6 }),
      Plot.rect(seen, {
        x1: ({ step }: Moment) => step - 0.3,
        x2: ({ step }: Moment) => step + 0.3,
        y1: 0,
        y2: 'spikes',
        fill: colour,
      }),
      Plot.ruleY([0]),
      Plot.tip(
        seen,
        Plot.pointerX({
          x: 'step',
          y: 'spikes',
          title: ({ step, spikes }: Moment) => `step ${step}\nspike ${decimal(spikes)}`,
        }),
      ),
    ],
  });
}

/** About six round steps. */
function ticksTo(steps: number): number[] {
  const every = [1, 2, 4, 8].find((candidate) => steps / candidate <= 8) ?? 8;
  return Array.from({ length: Math.floor(steps / every) }, (_, i) => (i + 1) * every);
}

const ticksFrom0 = (most: number): number[] =>
  most <= 4 ? [0, ...ticksTo(most)] : [0, Math.floor(most / 2), most];
