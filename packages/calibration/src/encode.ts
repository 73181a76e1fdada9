import { nextTurn, packCodes, type HostTensor } from '@spikellm/backend';
import {
  createLoan,
  hostTensor,
  inputNormName,
  isPacked,
  isTernary,
  kvPrefixes,
  mlpNormName,
  packedNames,
  salientTensors,
  ternaryTensors,
  type LayerWeights,
  type LinearWeights,
  type PackedRows,
  type PackedWeight,
} from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';
import type { LayerSteps } from './steps.ts';
import { quantiseRows, type Clipping } from './weight-quantiser.ts';

/**
 * One layer as the tensors of a SpikeLLM checkpoint, see docs/checkpoint.md. Lets timers and signals run between linears;
 * rejects with the signal's reason when aborted.
 */
export async function encodeLayer(
  index: number,
  weights: LayerWeights,
  steps: LayerSteps,
  weightBits: number,
  clipping?: ReadonlyMap<string, Clipping>,
  signal?: AbortSignal,
): Promise<[string, Tensor][]> {
  const kv = kvPrefixes(index);
  const tensors: [string, HostTensor][] = [
    [inputNormName(index), weights.inputNorm],
    [mlpNormName(index), weights.mlpNorm],
  ];
  for (const linear of weights.linears) {
    await nextTurn();
    signal?.throwIfAborted();
    const { name } = linear.entry;
    tensors.push(...encodeLinear(linear, steps.linears.get(name), weightBits, clipping?.get(name)));
  }
  if (steps.kv) {
    tensors.push(...salientTensors(kv.keys, steps.kv.keys), ...salientTensors(kv.values, steps.kv.values));
  }
  return tensors.map(toTensor);
}

function encodeLinear(
  linear: LinearWeights,
  steps: Uint8Array | undefined,
  bits: number,
  clipping: Clipping | undefined,
): [string, HostTensor][] {
  const { prefix } = linear.entry;
  return [
    ...weightTensors(linear, bits, clipping),
    ...(linear.bias ? [[`${prefix}.bias`, linear.bias] as [string, HostTensor]] : []),
    ...(steps ? salientTensors(prefix, steps) : []),
  ];
}

/** A weight that is quantised already as it is, a float one with codes of `bits` bits. */
function weightTensors(
  { entry, weight }: LinearWeights,
  bits: number,
  clipping: Clipping | undefined,
): [string, HostTensor][] {
  if (isPacked(weight)) return packedTensors(entry.prefix, weight);
  if (!isTernary(weight)) return packRows(entry, weight, bits, clipping);
  return ternaryTensors(entry.prefix, weight);
}

/** An embedding or a head, float32, with codes of `bits` bits. */
export const encodeTable = (rows: PackedRows, weight: HostTensor, bits: number): [string, Tensor][] =>
  packRows(rows, weight, bits).map(toTensor);

const toTensor = ([name, { type, data, dims }]: [string, HostTensor]): [string, Tensor] => [
  name,
  new Tensor(type as 'uint8', data as Uint8Array, dims),
];

/** Float32 rows as codes, scales and zero points. */
function packRows(
  { prefix, outputs, inputs }: PackedRows,
  { data }: HostTensor,
  bits: number,
  clipping?: Clipping,
): [string, HostTensor][] {
  const loan = createLoan();
  const { codes, scale, zero } = quantiseRows(
    data as Float32Array,
    inputs,
    { bits, symmetric: false },
    clipping,
    loan.allocate,
  );
  const packed = packCodes(codes, outputs, inputs, bits);
  loan.free();
  return packedTensors(prefix, {
    bits,
    codes: hostTensor('uint8', packed, [outputs, packed.length / outputs]),
    scale: hostTensor('float32', scale),
    zero: hostTensor('int32', zero),
  });
}

function packedTensors(prefix: string, { codes, scale, zero }: PackedWeight): [string, HostTensor][] {
  const names = packedNames(prefix);
  const { data, dims } = zero;
  return [
    [names.codes, codes],
    [names.scale, scale],
    [names.zero, { type: 'int16', data: Int16Array.from(data as Int32Array), dims }],
  ];
}
