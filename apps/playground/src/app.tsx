import { useSignal, useSignalEffect } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect } from 'preact/hooks';
import { EngineLine } from './engine/engine-line.tsx';
import { theme, THEMES } from './theme.ts';
import { Notice } from './ui/notice.tsx';
import { followUrl, room, ROOMS, type RoomId } from './url-state.ts';

interface RoomEntry {
  readonly title: string;
  readonly load: () => Promise<{ readonly Room: ComponentType }>;
}

/** The rooms are loaded when they are opened. */
const ENTRIES: Record<RoomId, RoomEntry> = {
  'neuron-lab': { title: 'Neuron lab', load: () => import('./rooms/neuron-lab/room.tsx') },
  calibrate: { title: 'Calibrate', load: () => import('./rooms/calibrate/room.tsx') },
  speak: { title: 'Speak', load: () => import('./rooms/speak/room.tsx') },
  backends: { title: 'Backends', load: () => import('./rooms/backends/room.tsx') },
};

export function App() {
  useEffect(followUrl, []);
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        To the content
      </a>
      <header>
        <div class="bar">
          <p class="name">
            <span aria-hidden="true">⌁</span> spikellm
          </p>
          <nav aria-label="Rooms">
            {ROOMS.map((id) => (
              <a
                key={id}
                href={`#/${id}`}
                aria-current={room.value === id ? 'page' : undefined}
                onClick={open(id)}
              >
                {ENTRIES[id].title}
              </a>
            ))}
          </nav>
          <select
            aria-label="Colours"
            value={theme.value}
            onChange={({ currentTarget }) => (theme.value = THEMES[currentTarget.selectedIndex])}
          >
            {THEMES.map((name) => (
              <option key={name} value={name}>
                {name}
              </option>
            ))}
          </select>
        </div>
      </header>
      <main id="main" tabIndex={-1}>
        <OpenRoom />
      </main>
      <footer>
        <EngineLine />
      </footer>
    </>
  );
}

/** A click opens a room with the values it had; a click for a new tab is the browser's. */
const open =
  (id: RoomId) =>
  (event: MouseEvent): void => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    room.value = id;
  };

function skip(event: MouseEvent): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}

function OpenRoom() {
  const loaded = useSignal<Partial<Record<RoomId, ComponentType>>>({});
  const failed = useSignal<string | undefined>(undefined);
  useSignalEffect(() => {
    const id = room.value;
    document.title = `${ENTRIES[id].title} - spikellm playground`;
    failed.value = undefined;
    if (loaded.peek()[id]) return;
    ENTRIES[id].load().then(
      ({ Room }) => (loaded.value = { ...loaded.peek(), [id]: Room }),
      (error: unknown) =>
        (failed.value = `This room could not be loaded: ${String(error)}. Reload the page.`),
    );
  });
  if (failed.value !== undefined) return <Notice kind="error">{failed.value}</Notice>;
  const Room = loaded.value[room.value];
  return Room ? <Room key={room.value} /> : <p class="soft">Opening ...</p>;
}
