/** The text that `eval` predicts, as a protocol reads it. */
import { SpikeError } from '@spikellm/backend';
import { createDigest, type ModelFolder } from '@spikellm/checkpoint';
import { PROTOCOLS, tokenise, type Perplexity, type Protocol, type ProtocolText } from '@spikellm/evaluation';
import { parseModel } from '@spikellm/graph';
import { windowsOf } from './format.ts';
import type { Measured } from './measure.ts';
import { print, type Streams } from './session.ts';
import { readText } from './text.ts';

export type ReadText = ProtocolText & { readonly protocol: Protocol };

export async function readByProtocol(file: string, name: string): Promise<ReadText> {
  const protocol = PROTOCOLS[name];
  return { protocol, ...protocol.read(await readText(file), file) };
}

/** What was read, for reports: another reading of the same file has another digest, or another count of tokens. */
export interface Reading {
  readonly ids: readonly number[];
  readonly head: number | undefined;
  readonly report: Readonly<Record<string, string | number | null>>;
}

export async function tokeniseRead(
  model: ModelFolder,
  { protocol, text, parts }: ReadText,
): Promise<Reading> {
  const { ids, head } = tokenise(text, await model.tokenizer(), parseModel(model.config).config);
  const digest = createDigest('sha256');
  digest.update(text);
  const report = {
    protocol: protocol.name,
    how: protocol.description,
    [protocol.unit]: parts,
    characters: text.length,
    tokens: ids.length,
    digest: `sha256:${digest.hex()}`,
    head: head ?? null,
  };
  return { ids, head, report };
}

/** Errors: NOT_FINITE for a loss whose exponential is no number any more. */
export function checkFinite({ perplexity, nll }: Perplexity): void {
  if (Number.isFinite(perplexity)) return;
  throw new SpikeError('NOT_FINITE', {
    where: 'perplexity',
    expected: 'a mean loss below 709.78 nats per token, since perplexity is e to that power',
    received: `${nll} nats per token`,
    remedy:
      'look at this loss: a model of use has one below that of a guess, the logarithm of its vocabulary',
  });
}

export function showPerplexity(streams: Streams, result: Measured, { report, head }: Reading): void {
  print(streams, `perplexity  ${result.perplexity.toFixed(4)}`);
  print(streams, `nll         ${result.nll.toFixed(4)} nats per token`);
  print(streams, `text        ${windowsOf(result)}`);
  print(streams, `read        ${report.protocol}: ${report.how}`);
  print(streams, `            ${report.tokens} tokens of ${report.characters} characters, ${report.digest}`);
  if (head !== undefined) print(streams, `            token ${head} at the head of each window`);
  print(streams, `protocol    ${result.protocol}`);
}
