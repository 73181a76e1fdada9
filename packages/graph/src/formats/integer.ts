/** Weights as whole-number codes of 1 to 8 bits with a scale and a zero point per row. */
import { packedBytes, type HostTensor } from '@spikellm/backend';
import * as v from 'valibot';
import { hostTensor } from '../host-tensor.ts';
import { record } from '../record.ts';
import { checkTensor, readIntegers, readScale, type TensorSource } from '../tensors.ts';
import type { FormatKind, PackedRows, Weight, WeightFormat, WeightRows } from './format.ts';

export interface IntegerSettings {
  readonly kind?: undefined;
  readonly bits: number;
  readonly symmetric: boolean;
}

const namesOf = (prefix: string) => ({
  codes: `${prefix}.weight_codes`,
  scale: `${prefix}.weight_scale`,
  zero: `${prefix}.weight_zero`,
});

/** Bits of all that a row of C weights takes: codes in whole bytes, a float32 scale and an int16 zero point. */
export const integerRowBytes = (C: number, bits: number): number => packedBytes(C, bits) + 6;

/** @param bits - 1 to 8 */
export function integerFormat(bits: number): WeightFormat {
  return {
    kind: 'integer',
    title: `W${bits}`,
    productBits: bits,
    names: (prefix) => Object.values(namesOf(prefix)),
    read: async (source, rows, signal) => integerWeight(await readRows(source, rows, bits, signal)),
    async describe(source, { prefix, outputs, inputs }) {
      const names = namesOf(prefix);
      const tensors: [string, number[]][] = [
        [names.codes, [outputs, packedBytes(inputs, bits)]],
        [names.scale, [outputs]],
        [names.zero, [outputs]],
      ];
      for (const [name, shape] of tensors) checkTensor(source, name, shape);
      return { tensors, steps: null };
    },
    async readTable(runner, source, rows, signal) {
      const { codes, scale, zero } = await readRows(source, rows, bits, signal);
      // On the device, so that both kernels may borrow them.
      const constants = {
        weight: runner.upload(codes),
        weightScale: runner.upload(scale),
        weightZero: runner.upload(zero),
      };
      const attributes = { weightBits: bits, C: rows.inputs };
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
    },
  };
}

async function readRows(
  source: TensorSource,
  rows: WeightRows,
  bits: number,
  signal?: AbortSignal,
): Promise<PackedRows> {
  const { prefix, outputs, inputs } = rows;
  const names = namesOf(prefix);
  const zero = await readIntegers(source, names.zero, 'int16', [outputs], signal);
  const shape = [outputs, packedBytes(inputs, bits)];
  return {
    bits,
    inputs,
    codes: await readIntegers(source, names.codes, 'uint8', shape, signal),
    scale: await readScale(source, names.scale, [outputs], signal),
    zero: hostTensor('int32', Int32Array.from(zero.data as Int16Array)),
  };
}

/** The constants of kernels on packed rows. */
export const packedConstants = ({ codes, scale, zero }: PackedRows, bias: HostTensor | undefined) => ({
  weight: codes,
  weightScale: scale,
  weightZero: zero,
  bias,
});

export function integerWeight(packed: PackedRows): Weight {
  const { bits, inputs, codes, scale, zero } = packed;
  return {
    format: integerFormat(bits),
    packed,
    tensors(prefix) {
      const names = namesOf(prefix);
      return [
        [names.codes, codes],
        [names.scale, scale],
        [names.zero, hostTensor('int16', Int16Array.from(zero.data as Int32Array), zero.dims)],
      ];
    },
    onFloats(runner, bias) {
      const attributes = { weightBits: bits, C: inputs };
      const linear = runner.prepare('linear_packed_f32', attributes, packedConstants(packed, bias));
      return { run: (x) => runner.apply(linear, { x }).y };
    },
    onSpikes(runner, bias, { gif, steps }) {
      const linear = runner.prepare(
        'linear_codes_f32',
        { ...gif, weightBits: bits },
        { steps, ...packedConstants(packed, bias) },
      );
      return (input) => runner.apply(linear, { ...input }).y;
    },
  };
}

const BITS = 'from 1 to 8';
export const integerKind: FormatKind<IntegerSettings> = {
  kind: undefined,
  schema: record({
    kind: v.optional(v.undefined()),
    bits: v.pipe(
      v.number(BITS),
      v.check((bits) => Number.isInteger(bits) && bits >= 1 && bits <= 8, BITS),
    ),
    symmetric: v.nullish(v.boolean('true or false'), false),
  }),
  create: ({ bits }) => integerFormat(bits),
};
