import type { DeviceTensor, Runner } from '@spikellm/backend';

/** Tables of the rotary embedding, [positions, D / 2], and of its inverse, which is its gradient. */
export interface Rotation {
  readonly cos: DeviceTensor;
  readonly sin: DeviceTensor;
  readonly inverseSin: DeviceTensor;
}

/** Uploads cosines and sines of `positions` positions; the tensors live as long as the runner. */
export function createRotation(
  runner: Runner,
  cos: Float32Array,
  sin: Float32Array,
  positions: number,
): Rotation {
  const table = (data: Float32Array): DeviceTensor =>
    runner.upload({ type: 'float32', data, dims: [positions, data.length / positions] });
  return { cos: table(cos), sin: table(sin), inverseSin: table(sin.map((value) => -value)) };
}
