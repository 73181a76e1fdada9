/** Form controls whose values are signals. */
import type { Signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

interface Labelled {
  readonly label: string;
  /** One line below the control. */
  readonly help?: string | undefined;
  readonly disabled?: boolean | undefined;
}

/** A number between two others. */
interface Ranged extends Labelled {
  readonly signal: Signal<number>;
  readonly min: number;
  readonly max: number;
}

function Field({
  id,
  label,
  value,
  help,
  children,
}: {
  readonly id: string;
  readonly label: string;
  readonly value?: string | undefined;
  readonly help?: string | undefined;
  readonly children: ComponentChildren;
}) {
  return (
    <div class="field">
      <label for={id}>
        <span>{label}</span>
        {value !== undefined && <output for={id}>{value}</output>}
      </label>
      {children}
      {help !== undefined && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

const helpOf = (id: string, help: string | undefined): string | undefined =>
  help === undefined ? undefined : `${id}-help`;

/** A number that is dragged. @param show - how the value is written beside the label */
export function Slider({
  label,
  signal,
  min,
  max,
  step = 1,
  show = String,
  help,
  disabled,
}: Ranged & {
  readonly step?: number;
  readonly show?: (value: number) => string;
}) {
  const id = useId();
  return (
    <Field id={id} label={label} value={show(signal.value)} help={help}>
      <input
        id={id}
        type="range"
        min={min}
        max={max}
        step={step}
        value={signal.value}
        disabled={disabled}
        aria-valuetext={show(signal.value)}
        aria-describedby={helpOf(id, help)}
        onInput={({ currentTarget }) => (signal.value = currentTarget.valueAsNumber)}
      />
    </Field>
  );
}

/** A number that is typed; what is no number of the range leaves the value as it was. */
export function NumberField({
  label,
  signal,
  min,
  max,
  step = 1,
  help,
  disabled,
}: Ranged & {
  readonly step?: number | 'any';
}) {
  const id = useId();
  return (
    <Field id={id} label={label} help={help}>
      <input
        id={id}
        type="number"
        min={min}
        max={max}
        step={step}
        value={signal.value}
        disabled={disabled}
        aria-describedby={helpOf(id, help)}
        onChange={({ currentTarget }) => {
          const value = currentTarget.valueAsNumber;
          if (value >= min && value <= max) signal.value = value;
          else currentTarget.value = String(signal.value);
        }}
      />
    </Field>
  );
}

/** One of some names. @param names - what the reader sees of each; the choice itself where it has none */
export function Select<T extends string | number>({
  label,
  signal,
  choices,
  names = {},
  help,
  disabled,
}: Labelled & {
  readonly signal: Signal<T>;
  readonly choices: readonly T[];
  readonly names?: Partial<Record<T, string>>;
}) {
  const id = useId();
  return (
    <Field id={id} label={label} help={help}>
      <select
        id={id}
        value={signal.value}
        disabled={disabled}
        aria-describedby={helpOf(id, help)}
        onChange={({ currentTarget }) => (signal.value = choices[currentTarget.selectedIndex])}
      >
        {choices.map((choice) => (
          <option key={choice} value={choice}>
            {names[choice] ?? choice}
          </option>
        ))}
      </select>
    </Field>
  );
}

export function Checkbox({ label, signal, help, disabled }: Labelled & { readonly signal: Signal<boolean> }) {
  const id = useId();
  return (
    <div class="field check">
      <input
        id={id}
        type="checkbox"
        checked={signal.value}
        disabled={disabled}
        aria-describedby={helpOf(id, help)}
        onChange={({ currentTarget }) => (signal.value = currentTarget.checked)}
      />
      <label for={id}>{label}</label>
      {help !== undefined && (
        <p class="help" id={`${id}-help`}>
          {help}
        </p>
      )}
    </div>
  );
}

export function TextArea({
  label,
  signal,
  rows = 3,
  help,
  disabled,
}: Labelled & { readonly signal: Signal<string> | Signal<string | undefined>; readonly rows?: number }) {
  const id = useId();
  return (
    <Field id={id} label={label} help={help}>
      <textarea
        id={id}
        rows={rows}
        value={signal.value}
        disabled={disabled}
        aria-describedby={helpOf(id, help)}
        onInput={({ currentTarget }) => (signal.value = currentTarget.value)}
      />
    </Field>
  );
}

/** One line of text. */
export function TextField({ label, signal, help, disabled }: Labelled & { readonly signal: Signal<string> }) {
  const id = useId();
  return (
    <Field id={id} label={label} help={help}>
      <input
        id={id}
        type="text"
        value={signal.value}
        disabled={disabled}
        aria-describedby={helpOf(id, help)}
        onInput={({ currentTarget }) => (signal.value = currentTarget.value)}
      />
    </Field>
  );
}
