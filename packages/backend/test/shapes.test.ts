import { describe, expect, it } from 'vitest';
import { attributeDims, kernels, operandDims, resolveType, type KernelRow } from '../src/index.ts';
import { bindOperands, operandsOf } from '../src/shapes.ts';

const tensor = (...dims: number[]) => ({ type: 'float32', dims });
const attend: KernelRow = kernels.attend_f32;
const block: KernelRow = kernels.attend_gif_block_f32;

describe('letters', () => {
  it('come from attributes of their name and from what the row derives', () => {
    const attributes = { H: 4, K: 2, D: 8, bits: 4, range: 'lossless', classes: [1, 2], block: 32 };
    expect(attributeDims(block, attributes)).toEqual({ H: 4, K: 2, D: 8, bits: 4, S: 2, block: 32 });
  });

  it('come from the first operand that shows them, and hold for the others', () => {
    const letters: Record<string, number> = { H: 4, K: 2, D: 8 };
    const given = {
      q: tensor(3, 32),
      k: tensor(3, 16),
      v: tensor(3, 16),
      keys: tensor(10, 16),
      values: tensor(10, 16),
    };
    bindOperands('here', operandsOf(attend, ['input', 'state']), given, {}, letters);
    expect(letters).toEqual({ H: 4, K: 2, D: 8, N: 3, P: 10 });
    const shorter = { ...given, values: tensor(9, 16) };
    expect(() =>
      bindOperands('here', operandsOf(attend, ['input', 'state']), shorter, {}, { H: 4, K: 2, D: 8 }),
    ).toThrow('here: expected values of [10, 16], received [9, 16].');
  });
});

describe('dims', () => {
  it('are products of letters or functions of them', () => {
    const letters = { P: 70, K: 2, D: 8, S: 3, block: 32 };
    const dims = ['keyCodes', 'keyScale', 'valueScale', 'openKeys'].map((name) =>
      operandDims(block.operands[name], letters),
    );
    expect(dims).toEqual([
      [70, 16],
      [3, 16],
      [70, 6],
      [32, 16],
    ]);
  });

  it('of packed weights end on a byte', () => {
    const { weight } = kernels.linear_codes_f32.operands;
    expect(operandDims(weight, { O: 5, C: 3, weightBits: 3 })).toEqual([5, 2]);
    expect(operandDims(weight, { O: 5, C: 8, weightBits: 4 })).toEqual([5, 4]);
  });
});

it('the type of codes follows the attributes', () => {
  const { type } = kernels.gif_encode_f32.operands.codes;
  expect(resolveType(type, { bits: 8, range: 'lossless', classes: [1] })).toBe('uint8');
  expect(resolveType(type, { bits: 8, range: 'lossless', classes: [1, 2] })).toBe('uint16');
  expect(resolveType('int32', {})).toBe('int32');
});
