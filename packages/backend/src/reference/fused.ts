/** Spiking linear layers of the reference backend together with what stands before and after them. */
import type { ElementArray } from '../elements.ts';
import type { Dims } from '../kernel.ts';
import type { Implementation } from '../driver.ts';
import type { Activation } from '../table/domains.ts';
import { weightOf } from '../table/fused.ts';
import { gated } from './activations.ts';
import { add, rmsnorm } from './float.ts';
import type { F32 } from './kernel.ts';
import {
  bytesOf,
  encode,
  packLinear,
  runLinear,
  type Coded,
  type LinearAttributes,
  type PackedLinear,
} from './spiking.ts';

type Normed = LinearAttributes & { readonly eps: number; readonly of: Activation };
type Floats = Readonly<Record<string, F32>>;
type Constants = Readonly<Record<string, ElementArray>>;

/** Linears that share the codes of their input, and how their outputs are made of it. */
interface PackedGroup {
  readonly steps: Uint8Array;
  readonly linears: readonly PackedLinear[];
}

const implementation = (
  linearsOf: (constants: Constants, dims: Dims) => readonly [constants: Constants, O: number][],
  run: (operands: Floats, packed: PackedGroup, dims: Dims, attributes: Normed) => void,
  where: string,
): Implementation<ElementArray, PackedGroup> => ({
  prepare: (constants, dims, attributes) => ({
    steps: (constants.steps as Uint8Array).slice(),
    linears: linearsOf(constants, dims).map(([own, O]) =>
      packLinear(own, { ...dims, O }, attributes as LinearAttributes, where),
    ),
  }),
  packedBytes: ({ steps, linears }) => linears.reduce((sum, one) => sum + bytesOf(one), steps.byteLength),
  run: ({ operands, dims, attributes, packed }) =>
    run(operands as Floats, packed, dims, attributes as Normed),
});

function encoded(x: F32, steps: Uint8Array, dims: Dims, attributes: LinearAttributes): Coded {
  const { N, C, S } = dims;
  const coded = {
    codes: new Uint16Array(N * C),
    scale: new Float32Array(N * S),
    zero: new Int32Array(N * S),
    steps,
  };
  encode({ x, ...coded }, dims, attributes);
  return coded;
}

function encodedNorm({ x, norm }: Floats, { steps }: PackedGroup, dims: Dims, attributes: Normed): Coded {
  const y = new Float32Array(x.length);
  rmsnorm({ x, weight: norm, y }, { N: dims.N, H: 1, C: dims.C }, attributes);
  return encoded(y, steps, dims, attributes);
}

/** linear_gif_f32: encode, linear_codes_f32, add. */
export const linearGif = implementation(
  (constants, { O }) => [[constants, O]],
  ({ x, add: a, y }, { steps, linears: [linear] }, dims, attributes) => {
    runLinear({ ...encoded(x, steps, dims, attributes), y }, dims, linear);
    if (a) add({ a, b: y, y });
  },
  'linear_gif_f32',
);

/** qkv_gif_f32: norm, encode, three times linear_codes_f32. */
export const qkvGif = implementation(
  (constants, { H, K, D }) => [
    [weightOf(constants, 'q'), H * D],
    [weightOf(constants, 'k'), K * D],
    [weightOf(constants, 'v'), K * D],
  ],
  (operands, packed, dims, attributes) => {
    const coded = encodedNorm(operands, packed, dims, attributes);
    const { H, K, D } = dims;
    const [q, k, v] = packed.linears;
    runLinear({ ...coded, y: operands.q }, { ...dims, O: H * D }, q);
    runLinear({ ...coded, y: operands.k }, { ...dims, O: K * D }, k);
    runLinear({ ...coded, y: operands.v }, { ...dims, O: K * D }, v);
  },
  'qkv_gif_f32',
);

/** gate_up_gif_f32: norm, encode, twice linear_codes_f32, gate. */
export const gateUpGif = implementation(
  (constants, { O }) => [
    [weightOf(constants, 'gate'), O],
    [weightOf(constants, 'up'), O],
  ],
  (operands, packed, dims, attributes) => {
    const coded = encodedNorm(operands, packed, dims, attributes);
    const [gate, up] = packed.linears.map((linear) => {
      const y = new Float32Array(operands.y.length);
      runLinear({ ...coded, y }, dims, linear);
      return y;
    });
    gated({ gate, up, y: operands.y }, dims, attributes);
  },
  'gate_up_gif_f32',
);
