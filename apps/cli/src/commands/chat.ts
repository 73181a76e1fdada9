import { SpikeError } from '@spikellm/backend';
import type { ModelFolder } from '@spikellm/checkpoint';
import { spikeStatistics } from '@spikellm/evaluation';
import { FLOAT_BITS, type Decoder } from '@spikellm/graph';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { samplingOf } from '../chat/sampling.ts';
import { converse } from '../chat/session.ts';
import { speak, type Speaker, type Turn } from '../chat/turn.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { numbers, option, seeds, wholeAbove, withBackend, withVerbose } from '../options.ts';
import { holdNotes, note, print, printJson, type Session } from '../session.ts';

interface ChatOptions extends BackendOptions {
  readonly message?: string;
  readonly system?: string;
  readonly maxTokens?: number;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed?: number;
  readonly stats?: boolean;
  readonly json?: boolean;
}

export function addChat(program: Command, session: Session): void {
  const temperatures = numbers('a number of 0 or more', (value) => value >= 0 && value < Infinity);
  const shares = numbers('a number above 0 and at most 1', (value) => value > 0 && value <= 1);
  const command = program
    .command('chat')
    .description(
      'Talk with a model that has a chat template; how it draws is as generation_config.json says.',
    )
    .argument('<model>', MODEL_ARGUMENT)
    .option('--message <text>', 'say this, print the reply and leave')
    .option('--system <text>', 'how to answer')
    .addOption(option('--max-tokens <n>', 'tokens of a reply at most', wholeAbove(0)))
    .addOption(option('--temperature <t>', 'spread of the draw, none at 0', temperatures))
    .addOption(option('--top-k <k>', 'draw among the k likeliest tokens', wholeAbove(0)))
    .addOption(option('--top-p <p>', 'draw among the likeliest tokens of this share', shares))
    .addOption(option('--seed <n>', 'the same seed draws the same reply', seeds))
    .option('--stats', 'tokens a second and, of a spiking model, how many neurons fire, behind each reply')
    .option('--json', 'print one JSON document, with --message');
  withVerbose(withBackend(command), "chat ./smollm2 --system 'Answer in one sentence.'").action(
    (model: string, options: ChatOptions) => chat(session, model, options),
  );
}

async function chat(session: Session, name: string, options: ChatOptions): Promise<void> {
  const { message, system, maxTokens, json = false } = options;
  const { stdin, stdout } = session;
  if (message === undefined && (json || stdin?.isTTY !== true)) {
    throw new SpikeError('MISSING', {
      where: '--message',
      expected: 'a text, or a terminal to type at',
      received: 'neither',
    });
  }
  await using model = await openModel(session, name);
  const tokenizer = await model.tokenizer();
  const template = await model.chatTemplate();
  const { temperature, topK, topP, seed } = options;
  const sampling = samplingOf(model.generation, { temperature, topK, topP, seed } as Speaker['sampling']);
  const notes = holdNotes(session);
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();
  const speaker: Speaker = { decoder, tokenizer, template, sampling, maxTokens };
  const status = options.stats === true ? (turn: Turn) => statusOf(model, decoder, turn) : undefined;
  if (message === undefined) {
    const terminal = { input: stdin as unknown as NodeJS.ReadableStream, output: stdout };
    await converse(session, speaker, terminal, { system, status });
    return;
  }
  const messages = [
    ...(system === undefined ? [] : [{ role: 'system', content: system }]),
    { role: 'user', content: message },
  ];
  const turn = await speak(speaker, messages, session.signal, (piece) => {
    if (!json) stdout.write(piece);
  });
  session.signal.throwIfAborted();
  if (json) {
    printJson(session, { model: name, messages, ...turn, sampling, backend: backend.name });
    return;
  }
  print(session, '');
  if (status !== undefined) note(session, await status(turn));
}

/** Speed, and how often neurons fire over the last turn. */
async function statusOf(
  { tensors }: ModelFolder,
  decoder: Decoder,
  { promptIds, ids, tokensPerSecond }: Turn,
): Promise<string> {
  const speed = `${ids.length} tokens, ${tokensPerSecond.toFixed(1)} a second`;
  if (decoder.spiking === undefined || decoder.spiking.activations.bits >= FLOAT_BITS) return speed;
  const all = [...promptIds, ...ids];
  const { firingRate } = await spikeStatistics(decoder, all, { window: all.length, tensors });
  return `${speed}, ${(100 * firingRate).toFixed(1)} % of neurons fire in a step`;
}
