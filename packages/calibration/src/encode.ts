import { setImmediate as nextTurn } from 'node:timers/promises';
import { packCodes, type HostTensor } from '@spikellm/backend';
import {
  hostTensor,
  inputNormName,
  kvPrefixes,
  mlpNormName,
  packedNames,
  salientTensors,
  type LayerWeights,
  type LinearWeights,
  type PackedRows,
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
  { entry, weight, bias }: LinearWeights,
  steps: Uint8Array | undefined,
  bits: number,
  clipping: Clipping | undefined,
): [string, HostTensor][] {
  const { prefix } = entry;
  return [
    ...packRows(entry, weight as HostTensor, bits, clipping),
    ...(bias ? [[`${prefix}.bias`, bias] as [string, HostTensor]] : []),
    ...(steps ? salientTensors(prefix, steps) : []),
  ];
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
  const { codes, scale, zero } = quantiseRows(
    data as Float32Array,
    inputs,
    { bits, symmetric: false },
    clipping,
  );
  const names = packedNames(prefix);
  const packed = packCodes(codes, outputs, inputs, bits);
  return [
    [names.codes, hostTensor('uint8', packed, [outputs, packed.length / outputs])],
    [names.scale, hostTensor('float32', scale)],
    [names.zero, { type: 'int16', data: Int16Array.from(zero), dims: [outputs] }],
  ];
}
