/**
 * The reference backend: the definition of every kernel in plain TypeScript, on one thread. It runs at dispatch, so
 * order is the order of the calls; it is written to be read and is fast enough for tests and small models.
 */
import type { Backend } from '../backend.ts';
import { newElements, type ElementArray, type ElementType } from '../elements.ts';
import { SpikeError } from '../errors.ts';
import type { Driver, Implementation } from '../driver.ts';
import { createTableBackend } from '../table-backend.ts';
import { nextTurn } from '../turn.ts';
import type { KernelName } from '../table/index.ts';
import {
  activate,
  activateBackward,
  gated,
  gatedBackward,
  scale,
  softcap,
  softcapBackward,
} from './activations.ts';
import { attend } from './attention.ts';
import { attendWindow, attendWindowBackward } from './attention-window.ts';
import { attendBlock, attendWhole, attendTokens } from './attention-gif.ts';
import {
  add,
  crossEntropy,
  embedding,
  embeddingHalf,
  linear,
  linearHalf,
  matmul,
  matmulTn,
  rmsnorm,
  rope,
} from './float.ts';
import { hadamard } from './hadamard.ts';
import { cholesky, gram } from './hessian.ts';
import { gateUpGif, linearGif, qkvGif } from './fused.ts';
import { plain } from './kernel.ts';
import {
  gifRoundTrip,
  gifRoundTripBackward,
  weightRoundTrip,
  weightRoundTripBackward,
} from './round-trip.ts';
import { decode, embeddingPacked, encode, linearCodes, linearPacked } from './spiking.ts';
import { linearTernary, linearTernaryCodes } from './ternary.ts';
import { channelSaliency, columnAbsmax, columnDot, kvSaliency } from './statistics.ts';
import {
  columnSum,
  crossEntropyBackward,
  divide,
  divideBackward,
  embeddingBackward,
  gather,
  gatherBackward,
  layernorm,
  layernormBackward,
  rmsnormBackward,
  squaredError,
  squaredErrorBackward,
} from './training.ts';

const kernels: Record<KernelName, Implementation<ElementArray>> = {
  embedding_f32: plain(embedding),
  embedding_half_f32: plain(embeddingHalf),
  add_f32: plain(add),
  rmsnorm_f32: plain(rmsnorm),
  linear_f32: plain(linear),
  linear_half_f32: plain(linearHalf),
  matmul_f32: plain(matmul),
  matmul_tn_f32: plain(matmulTn),
  rope_f32: plain(rope),
  hadamard_f32: plain(hadamard),
  attend_f32: plain(attend),
  cross_entropy_f32: plain(crossEntropy),
  activation_f32: plain(activate),
  activation_backward_f32: plain(activateBackward),
  gated_f32: plain(gated),
  gated_backward_f32: plain(gatedBackward),
  scale_f32: plain(scale),
  softcap_f32: plain(softcap),
  softcap_backward_f32: plain(softcapBackward),
  gif_encode_f32: plain(encode),
  gif_decode_f32: plain(decode),
  linear_codes_f32: linearCodes,
  linear_gif_f32: linearGif,
  qkv_gif_f32: qkvGif,
  gate_up_gif_f32: gateUpGif,
  linear_packed_f32: linearPacked,
  embedding_packed_f32: plain(embeddingPacked),
  linear_ternary_codes_f32: linearTernaryCodes,
  linear_ternary_f32: linearTernary,
  attend_gif_token_f32: plain(attendTokens),
  attend_gif_block_f32: plain(attendBlock),
  attend_gif_whole_f32: plain(attendWhole),
  column_absmax_f32: plain(columnAbsmax),
  column_dot_f32: plain(columnDot),
  channel_saliency_f32: plain(channelSaliency),
  kv_saliency_f32: plain(kvSaliency),
  gram_f32: plain(gram),
  cholesky_f32: plain(cholesky),
  rmsnorm_backward_f32: plain(rmsnormBackward),
  layernorm_f32: plain(layernorm),
  layernorm_backward_f32: plain(layernormBackward),
  attend_window_f32: plain(attendWindow),
  attend_window_backward_f32: plain(attendWindowBackward),
  gif_round_trip_f32: plain(gifRoundTrip),
  gif_round_trip_backward_f32: plain(gifRoundTripBackward),
  weight_round_trip_f32: plain(weightRoundTrip),
  weight_round_trip_backward_f32: plain(weightRoundTripBackward),
  squared_error_f32: plain(squaredError),
  squared_error_backward_f32: plain(squaredErrorBackward),
  cross_entropy_backward_f32: plain(crossEntropyBackward),
  embedding_backward_f32: plain(embeddingBackward),
  column_sum_f32: plain(columnSum),
  divide_f32: plain(divide),
  divide_backward_f32: plain(divideBackward),
  gather_f32: plain(gather),
  gather_backward_f32: plain(gatherBackward),
};

function allocate(type: ElementType, length: number): ElementArray {
  try {
    return newElements(type, length);
  } catch (cause) {
    throw new SpikeError('OUT_OF_MEMORY', {
      where: 'reference backend',
      expected: `memory for ${length} elements of ${type}`,
      received: 'none',
      cause,
    });
  }
}

const driver: Driver<ElementArray> = {
  name: 'reference',
  report: { device: 'plain TypeScript on one thread', features: [], threads: 1 },
  kernels,
  allocate,
  write: (storage, data) => storage.set(data),
  /** All work is done at dispatch; what is left is to let the event loop turn once. */
  synchronize: nextTurn,
  read: async (storage) => {
    const copy = storage.slice();
    await nextTurn();
    return copy;
  },
  release: () => {},
};

/** A new reference backend. */
export const createReferenceBackend = (): Backend => createTableBackend(driver);
