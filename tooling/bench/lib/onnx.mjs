// Writes an ONNX model of MatMulNBits nodes with random 4-bit weights: protocol buffers by hand, since the model is one
// kind of node. https://github.com/onnx/onnx/blob/main/onnx/onnx.proto
import { randomFillSync } from 'node:crypto';

/** Channels that share a scale. */
export const BLOCK = 32;
/** A computes in int8, as spiking linears do. */
const INT8_ACCURACY = 4;

/** Field `number` holding bytes, a text, or a message that is made of fields. */
const bytes = (number, value) => {
  const content = Array.isArray(value) ? Buffer.concat(value) : Buffer.from(value);
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
};
/** Field `number` holding a whole number of 0 or more. */
const whole = (number, value) => Buffer.concat([varint(number << 3), varint(value)]);

function varint(value) {
  const parts = [];
  let rest = value;
  for (; rest > 127; rest = Math.floor(rest / 128)) parts.push((rest % 128) | 128);
  parts.push(rest);
  return Buffer.from(parts);
}

// Numbers of ONNX: element types, and the type of a whole-number attribute.
const [FLOAT, UINT8, INT] = [1, 2, 2];

/**
 * `count` products y_i [tokens, outputs] = x [tokens, inputs] W_i of different weights.
 *
 * @returns the bytes of the model; the input is `x`, the outputs are `y0`, `y1`, ...
 */
export function matMulModel({ inputs, outputs, count }) {
  const places = Array.from({ length: count }, (_, i) => i);
  const scales = Buffer.from(new Float32Array((outputs * inputs) / BLOCK).fill(1 / inputs).buffer);
  const graph = [
    ...places.map((i) => bytes(1, nodeOf(i, { inputs, outputs }))),
    bytes(2, 'products'),
    ...places.flatMap((i) => [
      bytes(
        5,
        tensorOf(`w${i}`, UINT8, [outputs, inputs / BLOCK, BLOCK / 2], randomCodes((outputs * inputs) / 2)),
      ),
      bytes(5, tensorOf(`s${i}`, FLOAT, [(outputs * inputs) / BLOCK], scales)),
    ]),
    bytes(11, valueOf('x', inputs)),
    ...places.map((i) => bytes(12, valueOf(`y${i}`, outputs))),
  ];
  return Buffer.concat([
    whole(1, 8), // IR version
    bytes(7, graph),
    bytes(8, [bytes(1, ''), whole(2, 17)]),
    bytes(8, [bytes(1, 'com.microsoft'), whole(2, 1)]),
  ]);
}

function nodeOf(i, { inputs, outputs }) {
  const attributes = { K: inputs, N: outputs, bits: 4, block_size: BLOCK, accuracy_level: INT8_ACCURACY };
  return [
    ...['x', `w${i}`, `s${i}`].map((name) => bytes(1, name)),
    bytes(2, `y${i}`),
    bytes(4, 'MatMulNBits'),
    ...Object.entries(attributes).map(([name, value]) =>
      bytes(5, [bytes(1, name), whole(3, value), whole(20, INT)]),
    ),
    bytes(7, 'com.microsoft'),
  ];
}

const tensorOf = (name, type, dims, data) => [
  ...dims.map((dim) => whole(1, dim)),
  whole(2, type),
  bytes(8, name),
  bytes(9, data),
];

/** A float matrix of any number of rows. */
function valueOf(name, columns) {
  const dims = [bytes(1, [bytes(2, 'tokens')]), bytes(1, [whole(1, columns)])];
  return [bytes(1, name), bytes(2, [bytes(1, [whole(1, FLOAT), bytes(2, dims)])])];
}

const randomCodes = (length) => randomFillSync(Buffer.alloc(length));
