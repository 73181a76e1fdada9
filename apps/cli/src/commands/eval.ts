import { cutWindows } from '@spikellm/evaluation';
import type { Command } from 'commander';
import { openBackend, type BackendOptions } from '../backends.ts';
import { windowsOf } from '../format.ts';
import { countText, measureDecoder } from '../measure.ts';
import { MODEL_ARGUMENT, openDecoder, openModel } from '../model.ts';
import { showOperations } from '../operations-report.ts';
import { option, wholeAbove, withBackend, withVerbose } from '../options.ts';
import { holdNotes, print, printJson, type Session } from '../session.ts';
import { readText } from '../text.ts';
import { windowOf, windowOption } from '../window.ts';

interface EvalOptions extends BackendOptions {
  readonly text: string;
  readonly window?: number;
  readonly maxWindows?: number;
  readonly operations?: boolean;
  readonly json?: boolean;
}

export function addEval(program: Command, session: Session): void {
  const command = program
    .command('eval')
    .description('Measure the perplexity of a model, float or spiking, on a text.')
    .argument('<model>', MODEL_ARGUMENT)
    .requiredOption('--text <file>', 'UTF-8 text to predict')
    .addOption(windowOption())
    .addOption(option('--max-windows <n>', 'windows at most, all without it', wholeAbove(0)))
    .option('--operations', 'count what a token costs: operations, spikes, bytes, and an estimate of energy')
    .option('--json', 'print one JSON document');
  withVerbose(withBackend(command), 'eval ./tales --text story.txt --window 256').action(
    (model: string, options: EvalOptions) => evaluate(session, model, options),
  );
}

async function evaluate(session: Session, name: string, options: EvalOptions): Promise<void> {
  const { maxWindows } = options;
  const text = await readText(options.text);
  await using model = await openModel(session, name);
  const notes = holdNotes(session);
  const window = windowOf(model, options.window, notes.say);
  const ids = (await model.tokenizer()).encode(text);
  const windows = { window, maxWindows };
  cutWindows(ids, windows); // a short text is known before the model is loaded
  using backend = await openBackend(session, options, notes.say);
  using decoder = await openDecoder(session, model, backend);
  notes.release();
  const result = await measureDecoder(session, decoder, ids, windows);
  const operations = options.operations ? await countText(session, model, decoder, ids, windows) : undefined;
  if (options.json === true) {
    printJson(session, { model: name, text: options.text, backend: backend.name, ...result, operations });
    return;
  }
  print(session, `perplexity  ${result.perplexity.toFixed(4)}`);
  print(session, `nll         ${result.nll.toFixed(4)} nats per token`);
  print(session, `text        ${windowsOf(result)}`);
  print(session, `protocol    ${result.protocol}`);
  print(session, `time        ${result.seconds.toFixed(1)} s on the ${backend.name} backend`);
  if (operations !== undefined) showOperations(session, operations);
}
