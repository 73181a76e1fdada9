import type { HostTensor } from '@spikellm/backend';
import {
  attentionOf,
  cachePrefixes,
  salientTensors,
  type LayerGraph,
  type LayerWeights,
} from '@spikellm/graph';
import { Tensor } from 'onnxruntime-common';
import type { LayerSteps } from './steps.ts';

type Named = [name: string, tensor: HostTensor];

/** One layer as the tensors of a checkpoint, see docs/checkpoint.md: norms, linears in their order, lists of the cache. */
export function encodeLayer(
  layer: LayerGraph,
  { norms, linears }: LayerWeights,
  steps: Partial<LayerSteps> = {},
): [string, Tensor][] {
  const named = (name: string, bias: HostTensor | undefined): Named[] =>
    bias === undefined ? [] : [[`${layer.prefix}${name}.bias`, bias]];
  const tensors: Named[] = [...norms].flatMap(([name, { weight, bias }]) => [
    [`${layer.prefix}${name}.weight`, weight] as Named,
    ...named(name, bias),
  ]);
  for (const [name, { weight, bias }] of linears) {
    const own = steps.linears?.get(name);
    tensors.push(
      ...weight.tensors(layer.prefix + name),
      ...named(name, bias),
      ...(own ? salientTensors(layer.prefix + name, own) : []),
    );
  }
  if (steps.kv) {
    const { keys, values } = cachePrefixes(layer, attentionOf(layer).name);
    tensors.push(...salientTensors(keys, steps.kv.keys), ...salientTensors(values, steps.kv.values));
  }
  return tensors.map(toTensor);
}

/** A tensor of a checkpoint. */
export const toTensor = ([name, { type, data, dims }]: Named): [string, Tensor] => [
  name,
  new Tensor(type as 'uint8', data as Uint8Array, dims),
];
