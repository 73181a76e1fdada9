/** Kernels on float activations. */
import { activations, type Dims } from '@spikellm/backend';
import {
  activate,
  add,
  embedding,
  embeddingHalf,
  gated,
  rope,
  scale,
  softcap,
} from '../shaders/elementwise.ts';
import { layernorm } from '../shaders/layernorm.ts';
import { epsWords } from '../shaders/norm.ts';
import {
  embeddingPacked,
  linearHalfToken,
  linearHalfTokens,
  linearPackedToken,
  linearPackedTokens,
  linearToken,
  linearTokens,
  matmul,
  matmulTn,
} from '../shaders/product.ts';
import { rmsnorm } from '../shaders/rmsnorm.ts';
import { route, weigh } from '../shaders/routing.ts';
import { crossEntropy } from '../shaders/statistics.ts';
import type { Shader } from '../shader.ts';
import { elementwise, floatWord, single, type Attributes, type Buffers, type KernelCall } from './call.ts';

/** Up to this many tokens each goes over the weights by itself. */
const FEW_TOKENS = 4;
const tiles = (rows: number, columns: number): number => Math.ceil(rows / 64) * Math.ceil(columns / 64);

const linear = (
  token: Shader,
  tokens: Shader,
  own: (dims: Dims, attributes: Attributes, operands: Buffers) => number[],
): KernelCall => ({
  run(recorder, operands, dims, attributes) {
    const { N, O, C } = dims;
    const params = own(dims, attributes, operands);
    const few = N <= FEW_TOKENS;
    recorder.run(few ? token : tokens, {
      operands,
      params: few ? [O, ...params] : [N, O, C, ...params],
      groups: few ? N * Math.ceil(O / 4) : tiles(N, O),
      overwrites: ['y'],
    });
  },
});
const hasBias = ({ bias }: Buffers): number => (bias === undefined ? 0 : 1);

export const floatCalls = {
  embedding_f32: elementwise(
    embedding,
    ({ N, C }) => N * C,
    ({ V, C }) => [V, C],
  ),
  embedding_half_f32: elementwise(
    embeddingHalf,
    ({ N, C }) => N * C,
    ({ V, C }) => [V, C],
  ),
  embedding_packed_f32: elementwise(
    embeddingPacked,
    ({ N, C }) => N * C,
    ({ V, C }, { weightBits }) => [V, C, weightBits],
  ),
  add_f32: elementwise(add, ({ N, C }) => N * C),
  gated_f32: elementwise(
    gated,
    ({ N, C }) => N * C,
    (_, { of }) => [activations.indexOf(of)],
  ),
  activation_f32: elementwise(
    activate,
    ({ N, C }) => N * C,
    (_, { of }) => [activations.indexOf(of)],
  ),
  route_f32: elementwise(
    route,
    ({ N, E }) => N * E,
    ({ E, top }, { renormalised }) => [E, top, Number(renormalised)],
  ),
  weigh_f32: elementwise(
    weigh,
    ({ N, C }) => N * C,
    ({ C, E, column }) => [C, E, column],
  ),
  scale_f32: elementwise(
    scale,
    ({ N, C }) => N * C,
    ({ factor }) => [floatWord(factor)],
  ),
  softcap_f32: elementwise(
    softcap,
    ({ N, C }) => N * C,
    ({ cap }) => [floatWord(cap)],
  ),
  rope_f32: elementwise(
    rope,
    ({ N, H, D, R }) => N * H * (D - R),
    ({ H, D, R }, _, { position }) => [H, D, R, position],
  ),
  rmsnorm_f32: single(
    rmsnorm,
    ({ N, H }) => N * H,
    ({ C }, { eps }) => [C, ...epsWords(eps)],
  ),
  layernorm_f32: {
    run: (recorder, operands, { N, C }, { eps }) =>
      recorder.run(layernorm, {
        operands,
        params: [C, floatWord(eps), hasBias(operands)],
        groups: N,
      }),
  },
  linear_f32: linear(linearToken, linearTokens, ({ C }, _, operands) => [C, hasBias(operands)]),
  linear_half_f32: linear(linearHalfToken, linearHalfTokens, ({ C }, _, operands) => [C, hasBias(operands)]),
  linear_packed_f32: linear(linearPackedToken, linearPackedTokens, ({ C }, { weightBits }, operands) => [
    C,
    weightBits,
    hasBias(operands),
  ]),
  matmul_f32: single(
    matmul,
    ({ N, C }) => tiles(N, C),
    ({ N, O, C }) => [N, C, O],
  ),
  matmul_tn_f32: single(
    matmulTn,
    ({ C, O }) => tiles(C, O),
    ({ N, O, C }) => [C, O, N],
  ),
  cross_entropy_f32: single(
    crossEntropy,
    ({ N }) => N,
    ({ V }) => [V],
  ),
} satisfies Record<string, KernelCall>;
