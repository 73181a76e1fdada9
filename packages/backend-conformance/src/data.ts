/** What float operands are filled with: each style is a matrix that rounding, clamping or tails may get wrong. */
import { maxCode, type GifFormat } from '@spikellm/backend';
import type { Random } from './random.ts';

export interface Style {
  /** About how large the values are; queries are divided by it, so that a softmax stays well conditioned. */
  readonly magnitude: number;
  /** The value at each row and column. It is called once a matrix and returns the function of its elements. */
  readonly matrix: (random: Random, attributes: object) => (row: number, column: number) => number;
}

/** The bits of a half-precision number next to x, below 2^-14 in steps of 2^-24; the largest where x is beyond it. */
export function halfBits(x: number): number {
  const size = Math.min(65504, Math.abs(x));
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  const fraction = Math.round(size / 2 ** (exponent - 10)); // with the leading one, which adds 1 to the exponent
  return (x < 0 ? 0x8000 : 0) + (exponent + 14) * 1024 + fraction;
}

/** The n-th of a sequence of values that are drawn once each, in the order in which they are asked for. */
function remembered<T>(draw: (index: number) => T): (index: number) => T {
  const values: T[] = [];
  return (index) => {
    while (values.length <= index) values.push(draw(values.length));
    return values[index];
  };
}

const scaled = (factor: number): Style => ({
  magnitude: factor,
  matrix: (random) => () => factor * random.normal(),
});

/** Rows, or columns, that hold one value: +c, -c, 0; every fourth is left random. */
const constantAlong = (axis: 'row' | 'column'): Style => ({
  magnitude: 1,
  matrix: (random) => {
    const size = remembered(() => 0.1 + random.uniform());
    const kinds = [size, (index: number) => -size(index), () => 0, () => random.normal()];
    return (row, column) => {
      const index = axis === 'row' ? row : column;
      return kinds[index % 4](index);
    };
  },
});

/**
 * Values that fall between two codes. A row's range is a scale times the largest code of one of the classes, and its
 * other values are multiples of half a scale. The scale of even rows is a power of two, so that these are ties exactly;
 * that of odd rows is any number, so that only a correctly rounded division finds the side on which they fall.
 */
const ties: Style = {
  magnitude: 1,
  matrix: (random, attributes) => {
    const format: GifFormat & { classes: readonly number[] } = {
      bits: 4,
      range: 'lossless',
      classes: [1],
      ...attributes,
    };
    const rowOf = remembered((index) => {
      const steps = random.pick(format.classes);
      const span = maxCode(format, format.range === 'lossless' ? 1 : steps);
      const half = format.range === 'lossless' ? 0.5 / steps : 0.5;
      const scale = 2 ** -format.bits * (index % 2 === 0 ? 1 : 0.5 + random.uniform());
      return { scale, span, half, lowest: -0.5 * random.below(2 * span + 2) };
    });
    return (row) => {
      const { scale, span, half, lowest } = rowOf(row);
      const level = random.pick([0, span, half * random.below(span / half)]);
      return scale * (lowest + level);
    };
  },
};

export const STYLES = {
  normal: scaled(1),
  ties,
  zeroRows: {
    magnitude: 1,
    matrix: (random) => (row) => (row % 2 === 0 ? 0 : random.normal()),
  },
  constantRows: constantAlong('row'),
  constantColumns: constantAlong('column'),
  outliers: {
    magnitude: 100,
    matrix: (random) => {
      const size = remembered(() => (random.uniform() < 0.1 ? 100 : 1));
      return (_, column) => size(column) * random.normal();
    },
  },
  /** Far from zero: the zero point lies outside the codes, and beyond 1e4 it clamps. */
  offset: { magnitude: 1000, matrix: (random) => (row) => [10, -10, 1000][row % 3] + random.normal() },
  /** Two values only; integer operands take 0 and their largest code. */
  extremes: { magnitude: 1, matrix: (random) => () => random.pick([-1, 1]) },
  tiny: scaled(1e-6),
  huge: scaled(1e6),
} satisfies Record<string, Style>;

export type StyleName = keyof typeof STYLES;
