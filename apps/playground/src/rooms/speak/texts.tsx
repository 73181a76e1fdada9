import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { SIDES, type Ending, type Side, type SpokenToken } from '../../engine/reply.ts';
import { BOUNDS, levelOf, nats, percent, visible } from './divergence.ts';
import { conversation, place, type ShownText } from './session.ts';

const TITLES: Record<Side, string> = { float: 'Float', spiking: 'Spiking' };
const ENDINGS: Record<Ending, string> = {
  end: 'the model ended it',
  length: 'full length',
  context: 'the context is full',
  stopped: 'stopped',
};

/** What the colours and lines below tokens say. */
export function Legend() {
  const ranges = [`below ${BOUNDS[0]}`, ...BOUNDS.map((bound, i) => rangeFrom(bound, BOUNDS[i + 1]))];
  return (
    <p class="legend">
      <span>KL(float ‖ spiking) at the token, in nats:</span>
      {ranges.map((range, level) => (
        <span key={range} class={`token kl${level}`}>
          {range}
        </span>
      ))}
    </p>
  );
}

const rangeFrom = (low: number, high: number | undefined): string =>
  high === undefined ? `${low} or more` : `${low} to ${high}`;

export function Texts() {
  const { value: said } = conversation;
  return (
    <div class="columns texts" role="group" aria-label="Texts of both models" data-reply={said?.number ?? 0}>
      {SIDES.map((side) => (
        <TextOf key={side} side={side} prompt={said?.prompt} text={said?.texts[side]} />
      ))}
    </div>
  );
}

function TextOf({
  side,
  prompt = '',
  text,
}: {
  readonly side: Side;
  readonly prompt: string | undefined;
  readonly text: ShownText | undefined;
}) {
  const tokens = text?.tokens ?? [];
  const box = useRef<HTMLDivElement>(null);
  // While it is spoken the end stays in sight.
  useEffect(() => {
    if (text?.ending === undefined) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [tokens.length, text?.ending]);
  return (
    <section class={`text ${side}`} aria-labelledby={`text-${side}`}>
      <div class="figure-head">
        <h2 id={`text-${side}`}>{TITLES[side]}</h2>
        <CopyText of={side} text={prompt + tokens.map(({ text: piece }) => piece).join('')} />
      </div>
      <div ref={box} class="spoken" data-ending={text?.ending}>
        {text === undefined ? (
          <span class="soft">What the {side} model says will be here.</span>
        ) : (
          <span class="soft">{prompt}</span>
        )}
        {tokens.length > 0 && <Tokens side={side} tokens={tokens} />}
      </div>
      <p class="soft small" role="status">
        {text && <Facts text={text} />}
      </p>
    </section>
  );
}

function Facts({ text: { tokens, seconds, ending } }: { readonly text: ShownText }) {
  const rate = seconds > 0 ? (tokens.length - 1) / seconds : undefined;
  const mean = tokens.reduce((sum, { divergence }) => sum + divergence, 0) / tokens.length;
  return (
    <>
      <span data-tokens={tokens.length}>{tokens.length} tokens</span>
      {rate !== undefined && (
        <>
          {', '}
          <data value={rate}>{rate.toFixed(0)} tokens/s</data>
        </>
      )}
      {ending !== undefined && tokens.length > 0 && `, mean KL ${nats(mean)}`}
      {ending !== undefined && `; ${ENDINGS[ending]}`}
    </>
  );
}

function CopyText({ of, text }: { readonly of: Side; readonly text: string }) {
  const label = useSignal('Copy');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      label.value = 'Copied';
    } catch {
      label.value = 'The browser does not let this page copy';
    }
    setTimeout(() => (label.value = 'Copy'), 2000);
  };
  return (
    <button type="button" class="quiet" disabled={text === ''} onClick={() => void copy()}>
      {label.value}
      <span class="unseen"> the {of} text</span>
    </button>
  );
}

/** Tokens that the arrow keys walk along; one of them is in the order of the Tab key. */
function Tokens({ side, tokens }: { readonly side: Side; readonly tokens: readonly SpokenToken[] }) {
  const { value: at } = place;
  const here = at?.side === side ? at.index : undefined;
  const stop = Math.min(here ?? 0, tokens.length - 1);
  return (
    <span
      role="listbox"
      aria-label={`Tokens of the ${side} text`}
      aria-orientation="horizontal"
      onPointerOver={({ target }) => look(side, target)}
      onFocusIn={({ target }) => look(side, target)}
      onKeyDown={onKey}
    >
      {tokens.map((token, index) => {
        const says = describe(token);
        return (
          <span
            key={index}
            role="option"
            class={`token kl${levelOf(token.divergence)}`}
            tabIndex={index === stop ? 0 : -1}
            aria-selected={index === here}
            aria-label={says}
            title={says}
            data-index={index}
          >
            {token.text === '' ? visible('') : token.text.replaceAll('\n', '↵\n')}
          </span>
        );
      })}
    </span>
  );
}

const describe = ({ text, divergence, expected: { float, spiking } }: SpokenToken): string =>
  `token "${visible(text.trim() || text)}", KL ${nats(divergence)}, ` +
  `float ${percent(float.probability)}, spiking ${percent(spiking.probability)}`;

function look(side: Side, target: EventTarget | null): void {
  const { index } = (target as HTMLElement).dataset;
  if (index === undefined) return;
  const { value: at } = place;
  if (at?.side !== side || at.index !== Number(index)) place.value = { side, index: Number(index) };
}

/** Left and right, home and end along a text; up and down to the other text. */
function onKey(event: KeyboardEvent): void {
  const token = event.target as HTMLElement;
  const list = token.parentElement!;
  const index = Number(token.dataset.index);
  const last = list.children.length - 1;
  const other = [...document.querySelectorAll('.spoken [role=listbox]')].find((text) => text !== list);
  const to: Record<string, Element | undefined> = {
    ArrowRight: list.children[Math.min(last, index + 1)],
    ArrowLeft: list.children[Math.max(0, index - 1)],
    Home: list.children[0],
    End: list.children[last],
    ArrowDown: other?.children[Math.min(index, other.children.length - 1)],
    ArrowUp: other?.children[Math.min(index, other.children.length - 1)],
  };
  const next = to[event.key];
  if (next === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  (next as HTMLElement).focus();
}
