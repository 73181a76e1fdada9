/** Weights in float, as a model has them before it is quantised. */
import type { DeviceTensor, HostTensor } from '@spikellm/backend';
import * as v from 'valibot';
import { checkFloat, readFloats } from '../tensors.ts';
import type { FormatKind, Weight, WeightFormat } from './format.ts';

export interface FloatSettings {
  readonly kind: 'float';
}

const nameOf = (prefix: string): string => `${prefix}.weight`;

export const floatFormat: WeightFormat = {
  kind: 'float',
  title: 'W16',
  productBits: 16,
  names: (prefix) => [nameOf(prefix)],
  read: async (source, { prefix, outputs, inputs }, signal) =>
    floatWeight(await readFloats(source, nameOf(prefix), [outputs, inputs], signal)),
  async describe(source, { prefix, outputs, inputs }) {
    checkFloat(source, nameOf(prefix), [outputs, inputs]);
    return { tensors: [[nameOf(prefix), [outputs, inputs]]], steps: null };
  },
  /** In the precision in which the table is stored: half or single. */
  async readTable(runner, source, { prefix, outputs, inputs }, signal) {
    const name = nameOf(prefix);
    checkFloat(source, name, [outputs, inputs]);
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
  },
};

/** @param dense - float32 [O, C] */
export function floatWeight(dense: HostTensor): Weight {
  const onFloats: Weight['onFloats'] = (runner, bias) => {
    const weight = runner.upload(dense);
    const b = bias && runner.upload(bias);
    return { device: weight, run: (x) => runner.run('linear_f32', { x, weight, bias: b }).y };
  };
  return {
    format: floatFormat,
    dense,
    tensors: (prefix) => [[nameOf(prefix), dense]],
    onFloats,
    /** What the spikes carry, decoded, meets the floats. */
    onSpikes(runner, bias, { gif, steps }) {
      const decode = runner.prepare('gif_decode_f32', gif, { steps });
      const { run } = onFloats(runner, bias);
      return (input): DeviceTensor => run(runner.apply(decode, { ...input }).y);
    },
  };
}

export const floatKind: FormatKind<FloatSettings> = {
  kind: 'float',
  schema: v.object({ kind: v.literal('float') }),
  create: () => floatFormat,
};
