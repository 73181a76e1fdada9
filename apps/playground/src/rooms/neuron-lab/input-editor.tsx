/** The input current of every step: bars to draw with a pointer or to move with arrow keys, and a line to type. */
import { useSignal } from '@preact/signals';
import { useId, useRef } from 'preact/hooks';
import { decimal } from '../../ui/format.ts';
import { Notice } from '../../ui/notice.tsx';
import { INPUT, onGrid } from './presets.ts';
import { inputs, MOST_STEPS, sequence, setInput, setSequence, shown } from './state.ts';

/** Pixels. */
const HEIGHT = 168;
const { least, most, unit } = INPUT;
const percent = (part: number): string => `${100 * part}%`;
const yOf = (value: number): number => (HEIGHT * (most - value)) / (most - least);

/** Where a key moves a value. */
const MOVES: Readonly<Record<string, (value: number) => number>> = {
  ArrowUp: (value) => value + unit,
  ArrowDown: (value) => value - unit,
  PageUp: (value) => value + 1,
  PageDown: (value) => value - 1,
  Home: () => least,
  End: () => most,
};

export function InputEditor() {
  const drawing = useRef<SVGSVGElement>(null);
  /** The step that the Tab key comes to, and that is read out below. */
  const current = useSignal(0);
  const values = sequence.value;
  const steps = values.length;
  const at = Math.min(current.value, steps - 1);

  const go = (t: number): void => {
    current.value = Math.min(steps - 1, Math.max(0, t));
    const bars = drawing.current!.querySelectorAll<SVGGElement>('[role=slider]');
    bars[current.value].focus({ preventScroll: true });
  };
  const draw = ({ clientX, clientY }: PointerEvent): void => {
    const { left, top, width } = drawing.current!.getBoundingClientRect();
    const t = Math.min(steps - 1, Math.max(0, Math.floor(((clientX - left) / width) * steps)));
    setInput(t, onGrid(most - ((clientY - top) / HEIGHT) * (most - least)));
    go(t);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = MOVES[event.key];
    if (move !== undefined) setInput(at, onGrid(move(values[at])));
    else if (event.key === 'ArrowLeft') go(at - 1);
    else if (event.key === 'ArrowRight') go(at + 1);
    else return;
    event.preventDefault();
  };

  return (
    <div>
      <div class="figure-head">
        <h3>Input current</h3>
        <output class="soft small">
          step {at + 1}: {decimal(values[at])}
        </output>
      </div>
      <div class="input-bars">
        <div class="input-ticks" aria-hidden="true">
          {Array.from({ length: most - least + 1 }, (_, i) => most - i).map((tick) => (
            <span key={tick} style={{ top: `${yOf(tick)}px` }}>
              {decimal(tick)}
            </span>
          ))}
        </div>
        <svg
          ref={drawing}
          width="100%"
          height={HEIGHT}
          role="group"
          aria-label="Input current, one slider a step: up and down change it, left and right go to other steps"
          onKeyDown={onKeyDown}
          onPointerDown={(event) => {
            if (event.button !== 0) return;
            event.preventDefault();
            event.currentTarget.setPointerCapture(event.pointerId);
            draw(event);
          }}
          onPointerMove={(event) => {
            if (event.currentTarget.hasPointerCapture(event.pointerId)) draw(event);
          }}
        >
          {Array.from({ length: most - least + 1 }, (_, i) => least + i).map((tick) => (
            <line
              key={tick}
              class={tick === 0 ? 'zero' : 'grid'}
              x1="0"
              x2="100%"
              y1={yOf(tick)}
              y2={yOf(tick)}
            />
          ))}
          {values.map((value, t) => (
            <g
              key={t}
              class={t < shown.value ? 'bar seen' : 'bar'}
              role="slider"
              tabIndex={t === at ? 0 : -1}
              aria-label={`Input at step ${t + 1}`}
              aria-orientation="vertical"
              aria-valuemin={least}
              aria-valuemax={most}
              aria-valuenow={value}
              onFocus={() => (current.value = t)}
            >
              <rect class="column" x={percent(t / steps)} width={percent(1 / steps)} height={HEIGHT} />
              <rect
                class="body"
                x={percent((t + 0.2) / steps)}
                width={percent(0.6 / steps)}
                y={yOf(Math.max(0, value))}
                height={Math.abs(yOf(value) - yOf(0))}
              />
              <line
                class="cap"
                x1={percent((t + 0.2) / steps)}
                x2={percent((t + 0.8) / steps)}
                y1={yOf(value)}
                y2={yOf(value)}
              />
            </g>
          ))}
        </svg>
      </div>
      <p class="help">
        Draw across the bars, or use the arrow keys on one: up and down change it by 1/8, left and right go to
        the other steps.
      </p>
      <TypedInput />
    </div>
  );
}

/** The sequence as numbers. What is none stays in the field, and the sequence as it was. */
function TypedInput() {
  const id = useId();
  const wrong = useSignal<{ readonly typed: string; readonly beside: string } | undefined>(undefined);
  const written = sequence.value.map((value) => String(Number(value.toFixed(6)))).join(' ');
  // Another sequence than the one it was typed beside takes its place.
  const refused = wrong.value?.beside === written ? wrong.value.typed : undefined;
  const take = (typed: string): void => {
    const values = inputs.parse(typed.replaceAll(/[,;]/g, ' '));
    wrong.value = values === undefined ? { typed, beside: written } : undefined;
    if (values !== undefined) setSequence(values);
  };
  return (
    <div class="typed">
      <label for={id} class="soft small">
        As numbers
      </label>
      <input
        id={id}
        type="text"
        autocomplete="off"
        spellcheck={false}
        value={refused ?? written}
        aria-invalid={refused !== undefined}
        aria-describedby={refused === undefined ? undefined : `${id}-wrong`}
        onChange={({ currentTarget }) => take(currentTarget.value)}
      />
      <div id={`${id}-wrong`}>
        {refused !== undefined && (
          <Notice kind="error">
            Expected 1 to {MOST_STEPS} numbers from {decimal(least)} to {most}, separated by spaces, but found{' '}
            {faultOf(refused)}; the input above is as it was.
          </Notice>
        )}
      </div>
    </div>
  );
}

/** The first thing that is wrong with a line of numbers. */
function faultOf(typed: string): string {
  const words = typed.replaceAll(/[,;]/g, ' ').trim().split(/\s+/);
  if (words[0] === '') return 'none';
  const nonsense = words.find((word) => inputs.parse(word) === undefined);
  return nonsense === undefined ? `${words.length} of them` : `"${nonsense.slice(0, 24)}"`;
}
