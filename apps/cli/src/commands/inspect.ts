import { stat } from 'node:fs/promises';
import {
  describeModel,
  salientMasks,
  type LinearReport,
  type ModelReport,
  type SalientMask,
} from '@spikellm/evaluation';
import { parseModel, parseSpikingConfig, weightFormat } from '@spikellm/graph';
import type { Command } from 'commander';
import { bytes, table } from '../format.ts';
import { graphMermaid, graphText } from '../graph-pictures.ts';
import { MODEL_ARGUMENT, openModel, readConfig } from '../model.ts';
import { oneOf, option, withVerbose } from '../options.ts';
import { print, printJson, type Session } from '../session.ts';

interface InspectOptions {
  readonly graph?: Picture;
  readonly channels?: boolean;
  readonly json?: boolean;
}

type Picture = 'text' | 'mermaid';

export function addInspect(program: Command, session: Session): void {
  const command = program
    .command('inspect')
    .description('Show the layers of a model: true bits, salient channels, spike steps, bytes.')
    .argument('<model>', MODEL_ARGUMENT)
    .addOption(
      option(
        '--graph [picture]',
        'print what the model computes; a config.json is enough',
        oneOf(['text', 'mermaid']),
      )
        .preset('text')
        .conflicts('json'),
    )
    .option('--channels', 'list the salient channels of every linear and cache, with their steps')
    .option('--json', 'print one JSON document');
  withVerbose(command, 'inspect ./tales-spiking', 'inspect ./tales --graph mermaid').action(
    (model: string, { graph, ...options }: InspectOptions) =>
      graph === undefined ? inspect(session, model, options) : showGraph(session, model, graph),
  );
}

async function showGraph(session: Session, name: string, picture: Picture): Promise<void> {
  const config = await configOf(session, name);
  const model = parseModel(config);
  if (picture === 'mermaid') {
    print(session, graphMermaid(model));
    return;
  }
  print(
    session,
    `${name}: ${title({ config: model.config, spiking: parseSpikingConfig(config) ?? null })}\n`,
  );
  print(session, graphText(model));
}

/** From a file alone where there is one. */
async function configOf(session: Session, name: string): Promise<Readonly<Record<string, unknown>>> {
  const found = await stat(name).catch(() => undefined);
  if (found !== undefined) return readConfig(name);
  await using model = await openModel(session, name);
  return model.config;
}

async function inspect(session: Session, name: string, { channels, json }: InspectOptions): Promise<void> {
  await using model = await openModel(session, name);
  const { signal } = session;
  const report = await describeModel(model.config, model.tensors, { signal });
  const masks = channels ? await salientMasks(model.config, model.tensors, { signal }) : undefined;
  if (json) {
    printJson(session, { model: name, ...report, ...(masks && { masks }) });
    return;
  }
  print(session, `${name}: ${title(report)}`);
  const layers = Array.from({ length: report.config.layers }, (_, layer) =>
    report.linears.filter((linear) => linear.layer === layer),
  );
  print(
    session,
    table(
      ['layer', 'weights', 'bits per weight', 'salient channels', 'average steps', 'bytes'],
      [...layers.map((linears, layer) => layerRow(String(layer), linears)), layerRow('all', report.linears)],
    ),
  );
  for (const line of summary(report)) print(session, line);
  for (const line of masks?.map(maskLine) ?? []) print(session, line);
}

/** Channels by their steps, the most first: `layer 3 mlp.down_proj, 2 of 688 channels: T=4 17, T=2 3`. */
function maskLine({ layer, name, channels, salient, steps }: SalientMask): string {
  const counts = [...new Set(steps)].toSorted((a, b) => b - a);
  const lists = counts.map((T) => `T=${T} ${salient.filter((_, i) => steps[i] === T).join(' ')}`);
  const said = lists.length === 0 ? '' : `: ${lists.join(', ')}`;
  return `layer ${layer} ${name}, ${salient.length} of ${channels} channels${said}`;
}

function title({ config, spiking }: Pick<ModelReport, 'config' | 'spiking'>): string {
  const { family, layers, hiddenSize, heads, kvHeads, vocabularySize, contextLength } = config;
  const shape = `${family}, ${layers} layers of ${hiddenSize}, ${heads} heads (${kvHeads} of keys and values), vocabulary ${vocabularySize}, context ${contextLength}`;
  if (spiking === null) return `${shape}; float`;
  const { activations, pipeline } = spiking;
  const weights = weightFormat(spiking).title;
  const widths = `${weights}${weights.startsWith('W') ? '' : ', '}A${activations.bits}`;
  return `${shape}; spiking ${widths}, ${pipeline}, ${activations.range} range`;
}

function layerRow(name: string, linears: readonly LinearReport[]): string[] {
  const sum = (of: (linear: LinearReport) => number): number =>
    linears.reduce((total, each) => total + of(each), 0);
  const weights = sum(({ outputs, inputs }) => outputs * inputs);
  const channels = sum(({ inputs }) => inputs);
  const stored = sum((linear) => linear.bytes);
  const float = linears.some(({ averageSteps }) => averageSteps === null);
  const steps = sum(({ averageSteps, inputs }) => (averageSteps ?? 0) * inputs) / channels;
  return [
    name,
    String(weights),
    ((8 * stored) / weights).toFixed(3),
    float ? '-' : `${sum((linear) => linear.salientChannels)} of ${channels}`,
    float ? 'float' : steps.toFixed(3),
    bytes(stored),
  ];
}

function summary({ total, embeddingBits, kv, bytes: parts }: ModelReport): string[] {
  const activations =
    total.averageSteps === null
      ? '32 (float)'
      : `${total.transmittedBits.toFixed(2)} sent in spikes, ${total.informationBits.toFixed(2)} of code`;
  const stored =
    kv.storedBits === null ? 'no cache' : `${kv.storedBits.toFixed(2)} in memory at full context`;
  const sizes = Object.entries(parts)
    .filter(([name, count]) => count > 0 && name !== 'total')
    .map(([name, count]) => `${name === 'kvLists' ? 'KV lists' : name} ${bytes(count)}`);
  return [
    ...(total.averageWeightSteps === null
      ? []
      : [`steps per weight     ${total.averageWeightSteps.toFixed(3)} (ternary)`]),
    `bits per activation  ${activations}`,
    `bits per embedding   ${embeddingBits.toFixed(3)} a weight, the head included`,
    `bits per KV value    ${kv.informationBits.toFixed(2)} of code (${kv.key}), ${stored}`,
    `bytes                ${bytes(parts.total)}: ${sizes.join(', ')}`,
  ];
}
