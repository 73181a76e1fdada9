import { SpikeError } from '@spikellm/backend';
import { checkPrompt, generateText, mostPositions, parseModel, parseSpikingConfig } from '@spikellm/graph';
import { Option, type Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { secondsSince } from '../measure.ts';
import { doubledBos } from '../doubled-bos.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { numbers, option, seeds, wholeAbove, withBackend, withVerbose } from '../options.ts';
import { holdNotes, note, print, printJson, type Session } from '../session.ts';
import { readInput } from '../text.ts';

interface GenerateOptions extends BackendOptions {
  readonly prompt?: string;
  readonly maxTokens?: number;
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly seed: number;
  readonly stop: readonly string[];
  readonly json?: boolean;
}

export function addGenerate(program: Command, session: Session): void {
  const temperatures = numbers('a number of 0 or more', (value) => value >= 0 && value < Infinity);
  const shares = numbers('a number above 0 and at most 1', (value) => value > 0 && value <= 1);
  const stop = new Option('--stop <text>', 'end before this text; may be repeated').argParser(collect);
  const command = program
    .command('generate')
    .description('Continue a prompt, text as it comes.')
    .argument('<model>', MODEL_ARGUMENT)
    .option('--prompt <text>', 'text to continue (default: standard input)')
    .addOption(
      option(
        '--max-tokens <n>',
        "tokens to draw, 2048 or the rest of the model's context without it",
        wholeAbove(0),
      ),
    )
    .addOption(option('--temperature <t>', 'spread of the draw, none at 0', temperatures).default(0))
    .addOption(option('--top-k <k>', 'draw among the k likeliest tokens', wholeAbove(0)))
    .addOption(option('--top-p <p>', 'draw among the likeliest tokens of this share', shares))
    .addOption(option('--seed <n>', 'the same seed draws the same text', seeds).default(0))
    .addOption(stop.default([], 'none'))
    .option('--json', 'print one JSON document');
  withVerbose(
    withBackend(command),
    "generate ./tales --prompt 'Once upon a time' --max-tokens 100 --temperature 0.8 --top-p 0.95",
  ).action((model: string, options: GenerateOptions) => generate(session, model, options));
}

function collect(text: string, before: readonly string[]): string[] {
  if (text !== '') return [...before, text];
  throw new SpikeError('INVALID_ARGUMENT', { where: '--stop', expected: 'a text', received: 'nothing' });
}

/** Errors: MISSING where somebody would have to type it, and those of `readText`. */
async function promptOf({ stdin }: Session): Promise<string> {
  if (stdin !== undefined && stdin.isTTY !== true) return readInput(stdin, '--prompt');
  throw new SpikeError('MISSING', {
    where: '--prompt',
    expected: 'a text to continue, here or on standard input',
    received: 'nothing',
  });
}

async function generate(session: Session, name: string, options: GenerateOptions): Promise<void> {
  const { json = false } = options;
  const prompt = options.prompt ?? (await promptOf(session));
  await using model = await openModel(session, name);
  const tokenizer = await model.tokenizer();
  const promptIds = tokenizer.encode(prompt);
  const context = mostPositions(parseModel(model.config));
  checkPrompt({ context, spiking: parseSpikingConfig(model.config) }, promptIds, options.maxTokens);
  const notes = holdNotes(session);
  const doubled = doubledBos(tokenizer, promptIds);
  if (doubled !== undefined) notes.say(doubled);
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();

  const detokenizer = tokenizer.stream();
  let text = '';
  const emit = (piece: string): void => {
    text += piece;
    if (!json) session.stdout.write(piece);
  };
  emit(promptIds.map((id) => detokenizer.push(id)).join(''));
  const ids: number[] = [];
  const began = performance.now();
  for await (const piece of generateText(decoder, promptIds, {
    ...options,
    detokenizer,
    signal: session.signal,
  })) {
    if (piece.id !== undefined) ids.push(piece.id);
    emit(piece.text);
  }
  const seconds = secondsSince(began);
  const tokensPerSecond = ids.length / seconds;
  if (json) {
    printJson(session, {
      model: name,
      prompt,
      text,
      ids: [...promptIds, ...ids],
      promptTokens: promptIds.length,
      tokens: ids.length,
      tokensPerSecond,
      seconds,
      backend: backend.name,
    });
    return;
  }
  print(session, '');
  note(
    session,
    `${ids.length} tokens, ${tokensPerSecond.toFixed(1)} a second on the ${backend.name} backend`,
  );
}
