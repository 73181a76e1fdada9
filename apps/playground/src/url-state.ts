/**
 * What is seen is in the URL, `#/<room>?<name>=<value>&...`, so that a view can be sent to somebody. A value that is the
 * default is left out.
 */
import { batch, effect, signal, type Signal } from '@preact/signals';

export const ROOMS = ['neuron-lab', 'calibrate', 'speak', 'backends'] as const;
export type RoomId = (typeof ROOMS)[number];

/** How a value is written in a URL; `parse` gives undefined for what is no such value. */
export interface Codec<T> {
  readonly format: (value: T) => string;
  readonly parse: (text: string) => T | undefined;
}

const isRoom = (name: string | undefined): name is RoomId => ROOMS.includes(name as RoomId);

function readHash(): { room: RoomId; params: URLSearchParams } {
  const [path, query = ''] = location.hash.replace(/^#\/?/, '').split('?', 2);
  return { room: isRoom(path) ? path : ROOMS[0], params: new URLSearchParams(query) };
}

/** What the URL said when it was last read: values of a room that is loaded later are found here. */
let said = readHash();
/** The room that is open. */
export const room: Signal<RoomId> = signal(said.room);

interface Bound {
  /** Its text where the value is not the default. */
  readonly write: () => string | undefined;
  readonly read: (text: string | undefined) => void;
}
/** Values of all rooms, and of one. */
const bound: Record<RoomId | 'all', Map<string, Bound>> = {
  all: new Map(),
  'neuron-lab': new Map(),
  calibrate: new Map(),
  speak: new Map(),
  backends: new Map(),
};
/** How many values are bound: a room binds its own when it is loaded. */
const bindings = signal(0);
const valuesOf = (of: RoomId): [string, Bound][] => [...bound.all, ...bound[of]];

/**
 * A value that is kept in the URL of a room, or of all.
 *
 * @param fallback - the default, for a URL that does not name it, or names nonsense
 */
export function urlSignal<T>(
  of: RoomId | 'all',
  name: string,
  fallback: T,
  { format, parse }: Codec<T>,
): Signal<T> {
  const given = of === 'all' || said.room === of ? said.params.get(name) : null;
  const value = signal(given === null ? fallback : (parse(given) ?? fallback));
  const defaultText = format(fallback);
  bound[of].set(name, {
    write() {
      const text = format(value.value);
      return text === defaultText ? undefined : text;
    },
    read(text) {
      value.value = text === undefined ? fallback : (parse(text) ?? fallback);
    },
  });
  bindings.value = bindings.peek() + 1;
  return value;
}

function hashOf(of: RoomId): string {
  // What the URL says of a room that is not loaded yet stays in it, for a page that is reloaded meanwhile.
  const params = new URLSearchParams(said.room === of ? said.params : '');
  for (const [name, { write }] of valuesOf(of)) {
    const text = write();
    if (text === undefined) params.delete(name);
    else params.set(name, text);
  }
  const query = params.toString();
  return `#/${of}${query === '' ? '' : `?${query}`}`;
}

/** Keeps the URL and the signals of the open room alike. Returns how to end that. */
export function followUrl(): () => void {
  let shown = room.value;
  const stop = effect(() => {
    // A room that was loaded has values to write.
    void bindings.value;
    const hash = hashOf(room.value);
    if (hash === location.hash) return;
    // Another room is a page of the history, another value of a slider is not.
    if (room.value === shown) history.replaceState(null, '', hash);
    else history.pushState(null, '', hash);
    shown = room.value;
  });
  const onChange = (): void => {
    said = readHash();
    const { room: next, params } = said;
    batch(() => {
      shown = next;
      room.value = next;
      for (const [name, { read }] of valuesOf(next)) read(params.get(name) ?? undefined);
    });
  };
  addEventListener('popstate', onChange);
  return () => {
    stop();
    removeEventListener('popstate', onChange);
  };
}

/** A number between two others. */
export const numberIn = (least: number, most: number): Codec<number> => ({
  format: String,
  parse(text) {
    const value = Number(text);
    return text.trim() !== '' && value >= least && value <= most ? value : undefined;
  },
});

/** A whole number between two others. */
export const wholeIn = (least: number, most: number): Codec<number> => ({
  format: String,
  parse(text) {
    const value = numberIn(least, most).parse(text);
    return Number.isInteger(value) ? value : undefined;
  },
});

export const oneOf = <T extends string>(...choices: readonly T[]): Codec<T> => ({
  format: (value) => value,
  parse: (text) => choices.find((choice) => choice === text),
});

export const oneNumberOf = (...choices: readonly number[]): Codec<number> => ({
  format: String,
  parse: (text) => choices.find((choice) => String(choice) === text),
});

export const flag: Codec<boolean> = {
  format: (value) => (value ? '1' : '0'),
  parse: (text) => (text === '1' ? true : text === '0' ? false : undefined),
};

export const text: Codec<string> = { format: (value) => value, parse: (value) => value };

/** Finite numbers between two others, separated by spaces. */
export const numbersIn = (least: number, most: number): Codec<readonly number[]> => ({
  format: (values) => values.join(' '),
  parse(given) {
    const values = given.trim().split(/\s+/).map(Number);
    return values.every((value) => value >= least && value <= most) ? values : undefined;
  },
});
