import { SpikeError } from '@spikellm/backend';
import { createDigest } from '@spikellm/checkpoint';
import { cutWindows, PROTOCOLS, tokenise, type Perplexity } from '@spikellm/evaluation';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { windowsOf } from '../format.ts';
import { countText, measureDecoder } from '../measure.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { showOperations } from '../operations-report.ts';
import { oneOf, option, wholeAbove, wholes, withBackend, withVerbose } from '../options.ts';
import { holdNotes, print, printJson, type Session } from '../session.ts';
import { readText } from '../text.ts';
import { windowOf, windowOption } from '../window.ts';

interface EvalOptions extends BackendOptions {
  readonly text: string;
  readonly protocol: string;
  readonly window?: number;
  readonly maxWindows?: number;
  readonly skipWindows: number;
  readonly operations?: boolean;
  readonly json?: boolean;
}

export function addEval(program: Command, session: Session): void {
  const command = program
    .command('eval')
    .description('Measure the perplexity of a model, float or spiking, on a text.')
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('--text <file>', 'UTF-8 text to predict')
    .addOption(
      option('--protocol <name>', 'how the file is read and joined', oneOf(Object.keys(PROTOCOLS))).default(
        'text',
      ),
    )
    .addOption(windowOption())
    .addOption(option('--max-windows <n>', 'windows at most, all without it', wholeAbove(0)))
    .addOption(option('--skip-windows <n>', 'windows to leave out at the beginning', wholes).default(0))
    .option('--operations', 'count what a token costs: operations, spikes, bytes, and an estimate of energy')
    .option('--json', 'print one JSON document');
  withVerbose(withBackend(command), 'eval ./tales --text story.txt --window 256').action(
    (model: string, options: EvalOptions) => evaluate(session, model, options),
  );
}

async function evaluate(session: Session, name: string, options: EvalOptions): Promise<void> {
  const protocol = PROTOCOLS[options.protocol];
  const { skipWindows, maxWindows = protocol.maxWindows } = options;
  const { text, parts } = protocol.read(await readText(options.text), options.text);
  await using model = await openModel(session, name);
  const notes = holdNotes(session);
  const window = windowOf(model, options.window, notes.say);
  const { ids, head } = tokenise(text, await model.tokenizer(), model.config);
  const windows = { window, maxWindows, skipWindows, head };
  cutWindows(ids, windows); // a short text is known before the model is loaded
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();
  const result = await measureDecoder(session, decoder, ids, windows);
  checkFinite(result);
  const operations = options.operations ? await countText(session, model, decoder, ids, windows) : undefined;
  const read = {
    protocol: protocol.name,
    how: protocol.description,
    [protocol.unit]: parts,
    characters: text.length,
    tokens: ids.length,
    digest: digestOf(text),
    skipWindows,
    head: head ?? null,
  };
  if (options.json === true) {
    printJson(session, {
      model: name,
      text: options.text,
      read,
      backend: backend.name,
      ...result,
      operations,
    });
    return;
  }
  print(session, `perplexity  ${result.perplexity.toFixed(4)}`);
  print(session, `nll         ${result.nll.toFixed(4)} nats per token`);
  print(session, `text        ${windowsOf(result)}`);
  print(session, `read        ${protocol.name}: ${protocol.description}; ${parts} ${protocol.unit}`);
  print(session, `            ${ids.length} tokens of ${text.length} characters, ${read.digest}`);
  if (head !== undefined) print(session, `            token ${head} at the head of each window`);
  print(session, `protocol    ${result.protocol}`);
  print(session, `time        ${result.seconds.toFixed(1)} s on the ${backend.name} backend`);
  if (operations !== undefined) showOperations(session, operations);
}

/** Of the text as it was joined. */
function digestOf(text: string): string {
  const digest = createDigest('sha256');
  digest.update(text);
  return `sha256:${digest.hex()}`;
}

/** Errors: NOT_FINITE for a loss whose exponential is no number any more. */
function checkFinite({ perplexity, nll }: Perplexity): void {
  if (Number.isFinite(perplexity)) return;
  throw new SpikeError('NOT_FINITE', {
    where: 'perplexity',
    expected: 'a mean loss below 709.78 nats per token, since perplexity is e to that power',
    received: `${nll} nats per token`,
    remedy:
      'look at this loss: a model of use has one below that of a guess, the logarithm of its vocabulary',
  });
}
