import type { DeviceTensor, Runner } from '@spikellm/backend';
import type { DecoderConfig } from './config.ts';
import { readPacked } from './linear.ts';
import { checkWeight, tables, type PackedRows, type TensorSource } from './registry.ts';
import type { SpikingConfig } from './spiking-config.ts';

/** The two ends of a decoder. Where they are tied there is one table in memory. */
export interface PreparedTables {
  /** ids [N] to the rows [N, C] of the embedding. */
  readonly embed: (ids: DeviceTensor) => DeviceTensor;
  /** x [N, C] to logits [N, V]. */
  readonly head: (x: DeviceTensor) => DeviceTensor;
}

/**
 * Reads embedding and head and makes them ready, in the precision in which they are stored: packed, half or single.
 * Errors: MISSING, SHAPE, NOT_FINITE.
 */
export async function loadTables(
  runner: Runner,
  source: TensorSource,
  config: DecoderConfig,
  spiking: SpikingConfig | undefined,
  signal?: AbortSignal,
): Promise<PreparedTables> {
  const load = (rows: PackedRows): Promise<Table> =>
    spiking?.embeddings === undefined
      ? loadFloat(runner, source, rows, signal)
      : loadPacked(runner, source, rows, spiking.embeddings.bits, signal);
  const [embedding, head] = tables(config);
  const first = await load(embedding);
  const last = head === undefined ? first : await load(head);
  return { embed: first.gather(), head: last.product() };
}

/** A table on the device, and the kernels that read it, made ready when asked for. */
interface Table {
  gather(): (ids: DeviceTensor) => DeviceTensor;
  product(): (x: DeviceTensor) => DeviceTensor;
}

async function loadFloat(
  runner: Runner,
  source: TensorSource,
  { prefix, outputs, inputs }: PackedRows,
  signal?: AbortSignal,
): Promise<Table> {
  const name = `${prefix}.weight`;
  checkWeight(source, name, [outputs, inputs]);
  const as = source.info(name)?.dtype === 'F64' ? 'float32' : 'stored';
  const table = runner.upload(await source.read(name, { as, ...(signal && { signal }) }));
  return table.type === 'float16'
    ? {
        gather: () => (ids) => runner.run('embedding_half_f32', { ids, table }).y,
        product: () => (x) => runner.run('linear_half_f32', { x, weight: table }).y,
      }
    : {
        gather: () => (ids) => runner.run('embedding_f32', { ids, table }).y,
        product: () => (x) => runner.run('linear_f32', { x, weight: table }).y,
      };
}

async function loadPacked(
  runner: Runner,
  source: TensorSource,
  rows: PackedRows,
  weightBits: number,
  signal?: AbortSignal,
): Promise<Table> {
  const { codes, scale, zero } = await readPacked(source, rows, weightBits, signal);
  // On the device, so that both kernels may borrow them.
  const constants = {
    weight: runner.upload(codes),
    weightScale: runner.upload(scale),
    weightZero: runner.upload(zero),
  };
  const attributes = { weightBits, C: rows.inputs };
  return {
    gather() {
      const embedding = runner.prepare('embedding_packed_f32', attributes, constants);
      return (ids) => runner.apply(embedding, { ids }).y;
    },
    product() {
      const head = runner.prepare('linear_packed_f32', attributes, constants);
      return (x) => runner.apply(head, { x }).y;
    },
  };
}
