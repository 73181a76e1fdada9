/** Calls of the training kernels, see kernels.ts. */
import type { Letters } from '@spikellm/backend';
import {
  activated,
  capped,
  gif,
  heads,
  normed,
  rows,
  type Attributes,
  type KernelCall,
  type Numbers,
} from './kernels.ts';

const withEps: Numbers = ({ N, C }, { eps }) => [N, C, eps];
const windowed: Numbers = (letters, { block }) => [...heads(letters, 0), block];
const groups: Numbers = ({ N, H, D }, attributes) => [N, H, D, attributes.block, ...gif(attributes)];
const packedClassOf = {
  kernel: 'pack_class_of',
  constants: ['steps'],
  numbers: ({ H, D }: Letters, attributes: Attributes) => [H * D, ...gif(attributes)],
};
const windowInputs = ['q', 'k', 'v', 'closed'];
const weightInputs = ['weight', 'columns', 'rows', 'upper', 'lower'];
const weights: Numbers = ({ O, C }, { weightBits }) => [O, C, weightBits];

export const trainingCalls = {
  rmsnorm_backward_f32: { operands: ['x', 'weight', 'dy', 'dx', 'dweight'], numbers: normed },
  layernorm_f32: { operands: ['x', 'weight', 'bias', 'y'], numbers: withEps },
  layernorm_backward_f32: { operands: ['x', 'weight', 'dy', 'dx', 'dweight', 'dbias'], numbers: withEps },
  gated_backward_f32: { operands: ['gate', 'up', 'dy', 'dgate', 'dup'], numbers: activated },
  activation_f32: { operands: ['x', 'y'], numbers: activated },
  activation_backward_f32: { operands: ['x', 'dy', 'dx'], numbers: activated },
  softcap_backward_f32: { operands: ['x', 'dy', 'dx'], numbers: capped },
  attend_window_f32: { operands: [...windowInputs, 'y'], numbers: windowed },
  attend_window_backward_f32: {
    operands: [...windowInputs, 'dy', 'dq', 'dk', 'dv', 'dclosed'],
    numbers: windowed,
  },
  gif_round_trip_f32: { operands: ['x', 'packed', 'y'], numbers: groups, pack: packedClassOf },
  gif_round_trip_backward_f32: {
    operands: ['x', 'packed', 'dy', 'dx'],
    numbers: groups,
    pack: packedClassOf,
  },
  weight_round_trip_f32: { operands: [...weightInputs, 'y'], numbers: weights },
  weight_round_trip_backward_f32: {
    operands: [...weightInputs, 'dy', 'dweight', 'dcolumns', 'drows', 'dupper', 'dlower'],
    numbers: weights,
  },
  squared_error_f32: { operands: ['x', 'target', 'y'], numbers: rows },
  squared_error_backward_f32: { operands: ['x', 'target', 'dy', 'dx'], numbers: rows },
  cross_entropy_backward_f32: {
    operands: ['logits', 'targets', 'dy', 'dlogits'],
    numbers: ({ N, V }) => [N, V],
  },
  embedding_backward_f32: { operands: ['ids', 'dy', 'dtable'], numbers: ({ N, V, C }) => [N, V, C] },
  column_sum_f32: { operands: ['x', 'sum'], numbers: rows },
  divide_f32: { operands: ['a', 'divisor', 'y'], numbers: ({ C }) => [C] },
  divide_backward_f32: { operands: ['a', 'divisor', 'dy', 'da', 'ddivisor'], numbers: ({ C }) => [C] },
  gather_f32: { native: 'embedding_f32', operands: ['ids', 'x', 'y'], numbers: ({ N, V }) => [N, V, 1] },
  gather_backward_f32: { operands: ['ids', 'dy', 'dx'], numbers: ({ N, V }) => [N, V, 1] },
} satisfies Record<string, KernelCall>;
