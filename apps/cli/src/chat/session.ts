import { createInterface } from 'node:readline';
import type { ChatMessage } from '@spikellm/checkpoint';
import { SpikeError } from '@spikellm/backend';
import { note, print, type Session } from '../session.ts';
import { speak, type Speaker, type Turn } from './turn.ts';

const HELP = `/reset begins anew, /system <text> says how to answer, /exit or Ctrl-D leaves; a line that ends with \\ goes on
in the next one; Ctrl-C stops a reply, twice it leaves`;

/** The streams of a terminal that is typed at. */
export interface Terminal {
  readonly input: NodeJS.ReadableStream;
  readonly output: NodeJS.WritableStream;
}

export interface ChatSettings {
  readonly system: string | undefined;
  /** A line behind each reply; undefined prints none. */
  readonly status: ((turn: Turn) => Promise<string>) | undefined;
}

/** A conversation at a terminal, until it is left. */
export async function converse(
  session: Session,
  speaker: Speaker,
  { input, output }: Terminal,
  { system, status }: ChatSettings,
): Promise<void> {
  const beginning = (text: string | undefined): ChatMessage[] =>
    text === undefined ? [] : [{ role: 'system', content: text }];
  let messages = beginning(system);
  let reply: AbortController | undefined;
  let interrupted = false; // Ctrl-C at an empty line: the next one leaves
  const lines = createInterface({ input, output, terminal: true, historySize: 1000, prompt: '> ' });
  const leave = (): void => lines.close();
  session.signal.addEventListener('abort', leave);
  lines.on('SIGINT', () => {
    if (reply !== undefined && !reply.signal.aborted) return reply.abort();
    if (interrupted || reply !== undefined) return leave();
    interrupted = true;
    note(session, '\nCtrl-C again leaves.');
    lines.prompt();
  });
  note(session, HELP);
  lines.prompt();
  let begun = '';
  try {
    for await (const line of lines) {
      interrupted = false;
      if (line.endsWith('\\')) {
        begun += `${line.slice(0, -1)}\n`;
        continue;
      }
      const text = begun + line;
      begun = '';
      const [command, ...words] = text.split(' ');
      if (command === '/exit') break;
      if (command === '/reset') messages = messages.filter(({ role }) => role === 'system');
      else if (command === '/system') messages = beginning(words.length > 0 ? words.join(' ') : undefined);
      else if (command === '/help') note(session, HELP);
      else if (text.trim() !== '') {
        const asked = [...messages, { role: 'user', content: text }];
        reply = new AbortController();
        const said = await answer(session, speaker, asked, reply.signal);
        reply = undefined;
        if (said !== undefined) {
          messages = [...asked, { role: 'assistant', content: said.reply }];
          if (status !== undefined) note(session, await status(said));
        }
      }
      lines.prompt();
    }
  } finally {
    session.signal.removeEventListener('abort', leave);
    lines.close();
  }
}

/** A reply; undefined where the conversation cannot go on so, which is said. */
async function answer(
  session: Session,
  speaker: Speaker,
  messages: readonly ChatMessage[],
  signal: AbortSignal,
): Promise<Turn | undefined> {
  try {
    const turn = await speak(speaker, messages, signal, (piece) => void session.stdout.write(piece));
    print(session, turn.stopped ? ' ...' : '');
    return turn;
  } catch (error) {
    if (!(error instanceof SpikeError)) throw error;
    note(session, `${error.message} /reset begins anew.`);
    return undefined;
  }
}
