/** Spiking linear layers of the reference backend together with what stands before and after them. */
import type { ElementArray } from '../elements.ts';
import type { Letters } from '../kernel.ts';
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
  linearsOf: (constants: Constants, letters: Letters) => readonly [constants: Constants, O: number][],
  run: (operands: Floats, packed: PackedGroup, letters: Letters, attributes: Normed) => void,
  where: string,
): Implementation<ElementArray, PackedGroup> => ({
  prepare: (constants, letters, attributes) => ({
    steps: (constants.steps as Uint8Array).slice(),
    linears: linearsOf(constants, letters).map(([own, O]) =>
      packLinear(own, { ...letters, O }, attributes as LinearAttributes, where),
    ),
  }),
  packedBytes: ({ steps, linears }) => linears.reduce((sum, one) => sum + bytesOf(one), steps.byteLength),
  run: ({ operands, letters, attributes, packed }) =>
    run(operands as Floats, packed, letters, attributes as Normed),
});

function encoded(x: F32, steps: Uint8Array, letters: Letters, attributes: LinearAttributes): Coded {
  const { N, C, S } = letters;
  const coded = {
    codes: new Uint16Array(N * C),
    scale: new Float32Array(N * S),
    zero: new Int32Array(N * S),
    steps,
  };
  encode({ x, ...coded }, letters, attributes);
  return coded;
}

function encodedNorm(
  { x, norm }: Floats,
  { steps }: PackedGroup,
  letters: Letters,
  attributes: Normed,
): Coded {
  const y = new Float32Array(x.length);
  rmsnorm({ x, weight: norm, y }, { N: letters.N, H: 1, C: letters.C }, attributes);
  return encoded(y, steps, letters, attributes);
}

/** linear_gif_f32: encode, linear_codes_f32, add. */
export const linearGif = implementation(
  (constants, { O }) => [[constants, O]],
  ({ x, add: a, y }, { steps, linears: [linear] }, letters, attributes) => {
    runLinear({ ...encoded(x, steps, letters, attributes), y }, letters, linear);
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
  (operands, packed, letters, attributes) => {
    const coded = encodedNorm(operands, packed, letters, attributes);
    const { H, K, D } = letters;
    const [q, k, v] = packed.linears;
    runLinear({ ...coded, y: operands.q }, { ...letters, O: H * D }, q);
    runLinear({ ...coded, y: operands.k }, { ...letters, O: K * D }, k);
    runLinear({ ...coded, y: operands.v }, { ...letters, O: K * D }, v);
  },
  'qkv_gif_f32',
);

/** gate_up_gif_f32: norm, encode, twice linear_codes_f32, gate. */
export const gateUpGif = implementation(
  (constants, { O }) => [
    [weightOf(constants, 'gate'), O],
    [weightOf(constants, 'up'), O],
  ],
  (operands, packed, letters, attributes) => {
    const coded = encodedNorm(operands, packed, letters, attributes);
    const [gate, up] = packed.linears.map((linear) => {
      const y = new Float32Array(operands.y.length);
      runLinear({ ...coded, y }, letters, linear);
      return y;
    });
    gated({ gate, up, y: operands.y }, letters, attributes);
  },
  'gate_up_gif_f32',
);
