/** Calls of the training kernels, see kernels.ts. */
import type { Dims } from '@spikellm/backend';
import {
  activated,
  capped,
  gif,
  heads,
  normed,
  routed,
  rows,
  weighed,
  type Attributes,
  type KernelCall,
  type KernelParameters,
} from './kernels.ts';

const withEps: KernelParameters = ({ N, C }, { eps }) => [N, C, eps];
const windowed: KernelParameters = (dims, { block }) => [...heads(dims, 0), block];
const groups: KernelParameters = ({ N, H, D }, attributes) => [N, H, D, attributes.block, ...gif(attributes)];
const packedClassOf = {
  kernel: 'pack_class_of',
  constants: ['steps'],
  parameters: ({ H, D }: Dims, attributes: Attributes) => [H * D, ...gif(attributes)],
};
const windowInputs = ['q', 'k', 'v', 'closed'];
const weightInputs = ['weight', 'columns', 'rows', 'upper', 'lower'];
const weights: KernelParameters = ({ O, C }, { weightBits }) => [O, C, weightBits];

export const trainingCalls = {
  rmsnorm_backward_f32: { operands: ['x', 'weight', 'dy', 'dx', 'dweight'], parameters: normed },
  layernorm_f32: { operands: ['x', 'weight', 'bias', 'y'], parameters: withEps },
  layernorm_backward_f32: { operands: ['x', 'weight', 'dy', 'dx', 'dweight', 'dbias'], parameters: withEps },
  gated_backward_f32: { operands: ['gate', 'up', 'dy', 'dgate', 'dup'], parameters: activated },
  activation_f32: { operands: ['x', 'y'], parameters: activated },
  activation_backward_f32: { operands: ['x', 'dy', 'dx'], parameters: activated },
  softcap_backward_f32: { operands: ['x', 'dy', 'dx'], parameters: capped },
  route_backward_f32: { operands: ['x', 'dy', 'dx'], parameters: routed },
  weigh_backward_f32: { operands: ['x', 'by', 'dy', 'dx', 'dby'], parameters: weighed },
  attend_window_f32: { operands: [...windowInputs, 'y'], parameters: windowed },
  attend_window_backward_f32: {
    operands: [...windowInputs, 'dy', 'dq', 'dk', 'dv', 'dclosed'],
    parameters: windowed,
  },
  gif_round_trip_f32: { operands: ['x', 'packed', 'y'], parameters: groups, pack: packedClassOf },
  gif_round_trip_backward_f32: {
    operands: ['x', 'packed', 'dy', 'dx'],
    parameters: groups,
    pack: packedClassOf,
  },
  weight_round_trip_f32: { operands: [...weightInputs, 'y'], parameters: weights },
  weight_round_trip_backward_f32: {
    operands: [...weightInputs, 'dy', 'dweight', 'dcolumns', 'drows', 'dupper', 'dlower'],
    parameters: weights,
  },
  squared_error_f32: { operands: ['x', 'target', 'y'], parameters: rows },
  squared_error_backward_f32: { operands: ['x', 'target', 'dy', 'dx'], parameters: rows },
  cross_entropy_backward_f32: {
    operands: ['logits', 'targets', 'dy', 'dlogits'],
    parameters: ({ N, V }) => [N, V],
  },
  embedding_backward_f32: { operands: ['ids', 'dy', 'dtable'], parameters: ({ N, V, C }) => [N, V, C] },
  column_sum_f32: { operands: ['x', 'sum'], parameters: rows },
  divide_f32: { operands: ['a', 'divisor', 'y'], parameters: ({ C }) => [C] },
  divide_backward_f32: { operands: ['a', 'divisor', 'dy', 'da', 'ddivisor'], parameters: ({ C }) => [C] },
  gather_f32: { native: 'embedding_f32', operands: ['ids', 'x', 'y'], parameters: ({ N, V }) => [N, V, 1] },
  gather_backward_f32: { operands: ['ids', 'dy', 'dx'], parameters: ({ N, V }) => [N, V, 1] },
} satisfies Record<string, KernelCall>;
