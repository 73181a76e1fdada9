/** The suite itself: what it makes of a row, and that it sees what is wrong. */
import { createReferenceBackend, kernelNames, maxCode, type KernelRow } from '@spikellm/backend';
import { describe, expect, it } from 'vitest';
import { casesOf } from '../src/cases.ts';
import { casesOfKernel } from '../src/check.ts';
import { formulas } from '../src/formulas/index.ts';
import { difference, fill, run, type Filled, type Results } from '../src/run.ts';
import { unmatched } from '../src/suite.ts';

const exact = { absolute: 0, relative: 0, ofLargest: 0 };
const operand = (
  role: 'input' | 'state' | 'output' | 'constant',
  type: 'float32' | 'int32' | 'uint8',
  ...dims: string[]
) => ({ role, type, dims, optional: false }) as const;

describe('a row that no recipe knows', () => {
  const row: KernelRow = {
    formula: 'y[n,g] = x[n,g] strength',
    source: 'made up',
    operands: {
      x: operand('input', 'float32', 'N', 'G'),
      marks: operand('constant', 'uint8', 'G'),
      bias: { ...operand('input', 'float32', 'G'), optional: true },
      y: operand('output', 'float32', 'N', 'G'),
    },
    attributes: {
      strength: {
        expected: 'above 0',
        accepts: (value): value is number => typeof value === 'number' && value > 0,
      },
      mode: { expected: 'a boolean', accepts: (value): value is boolean => typeof value === 'boolean' },
    },
    scalars: ['phase'],
    tolerance: exact,
  };
  const cases = casesOf('made_up_f32', row);
  const ids = cases.map(({ id }) => id);

  it('gets a case for each value of each axis', () => {
    for (const id of [
      'N=0',
      'N=1',
      'G=15',
      'G=16',
      'G=17',
      'strength=0.5',
      'mode=true',
      'mode=false',
      'phase=2',
    ]) {
      expect(ids).toContain(id);
    }
    for (const id of ['bias=given', 'bias=absent', 'constants=device', 'data=ties', 'data=huge']) {
      expect(ids).toContain(id);
    }
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('gets data of its shapes and types, outputs that are not zero, attributes that it accepts', () => {
    for (const one of cases) {
      const { operands, dims: named, scalars } = fill(one);
      expect(operands.x).toMatchObject({ type: 'float32', dims: [named.N, named.G] });
      expect(operands.marks).toMatchObject({ type: 'uint8', dims: [named.G] });
      expect(operands.y.data.every(Number.isNaN)).toBe(true);
      expect('bias' in operands).toBe(one.optional.includes('bias'));
      expect(scalars.phase).toBeGreaterThanOrEqual(0);
      for (const [name, domain] of Object.entries(row.attributes)) {
        expect(domain.accepts((one.attributes as Record<string, unknown>)[name])).toBe(true);
      }
    }
  });

  it('is told when an attribute has no known values', () => {
    const picky = {
      strange: { expected: "'so'", accepts: (value: unknown): value is string => value === 'so' },
    };
    expect(() => casesOf('made_up_f32', { ...row, attributes: picky })).toThrow(
      "made_up_f32: no values known for attribute strange; name some in the kernel's recipe",
    );
  });
});

describe('cases of the table', () => {
  it('are the same every time', () => {
    expect(fill(casesOfKernel('linear_gif_f32')[5])).toEqual(fill(casesOfKernel('linear_gif_f32')[5]));
  });

  it('have names that a skip can tell apart', () => {
    for (const kernel of kernelNames) {
      const ids = casesOfKernel(kernel).map(({ id }) => id);
      expect(ids.length).toBeGreaterThan(20);
      expect(new Set(ids).size).toBe(ids.length);
    }
  });

  it('keep codes, steps and ids in range', () => {
    for (const kernel of ['linear_codes_f32', 'attend_gif_token_f32'] as const) {
      for (const { of, operands } of casesOfKernel(kernel).map(fill)) {
        const { classes, ...format } = of.attributes as {
          classes: number[];
          bits: number;
          range: 'lossless';
        };
        const steps = Array.from((operands.steps ?? operands.keySteps).data);
        const codes = Array.from((operands.codes ?? operands.keyCodes).data);
        const order = operands.codes === undefined ? steps : steps.toSorted((a, b) => a - b);
        expect(steps.every((T) => classes.includes(T))).toBe(true);
        expect(codes.every((code, i) => code <= maxCode(format, order[i % order.length]))).toBe(true);
      }
    }
    for (const { operands, dims: named } of casesOfKernel('embedding_f32').map(fill)) {
      expect(Array.from(operands.ids.data).every((id) => id >= 0 && id < named.V)).toBe(true);
    }
  });

  it('have an independent formula for every kernel', () => {
    expect(kernelNames.filter((kernel) => formulas[kernel] === undefined)).toEqual([]);
  });
});

describe('what is wrong is seen', () => {
  const one = (kernel: (typeof kernelNames)[number]): Filled =>
    fill(casesOfKernel(kernel).find(({ id }) => id === 'data=normal')!);

  it.each(kernelNames)('%s: in the last element of each output and state', async (kernel) => {
    using backend = createReferenceBackend();
    const filled = one(kernel);
    const want = await run(backend, filled);
    expect(difference(filled, want, want)).toBeUndefined();
    for (const [name, data] of Object.entries(want)) {
      // The open block of keys is compared as far as it is filled, and here it is empty or in float.
      if (name === 'openKeys') continue;
      const wrong = data.slice();
      wrong[wrong.length - 1] = wrong[wrong.length - 1] * 1.01 + 1;
      expect(difference(filled, { ...want, [name]: wrong }, want)).toMatch(
        new RegExp(`^${name}\\[${data.length - 1}\\]`),
      );
    }
  });

  it('in the filled rows of an open block, and only there', async () => {
    using backend = createReferenceBackend();
    const filled = casesOfKernel('attend_gif_block_f32')
      .map(fill)
      .find(({ dims: named, scalars }) => named.block === 4 && (scalars.position + named.N) % 4 === 2)!;
    const want = await run(backend, filled);
    const width = filled.dims.K * filled.dims.D;
    const wrongIn = (row: number): Results => {
      const openKeys = want.openKeys.slice();
      openKeys[row * width] += 1;
      return { ...want, openKeys };
    };
    expect([0, 1, 2, 3].map((row) => difference(filled, wrongIn(row), want) !== undefined)).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });

  it('when an output stays unwritten, or has another length', async () => {
    using backend = createReferenceBackend();
    const filled = one('add_f32');
    const want = await run(backend, filled);
    expect(difference(filled, { y: filled.operands.y.data }, want)).toMatch(
      /^y\[0\] of .* is NaN, expected /,
    );
    expect(difference(filled, { y: want.y.slice(1) }, want)).toMatch(/^y has \d+ elements, expected \d+$/);
  });
});

describe('skips', () => {
  it('that name no kernel or no case are found', () => {
    const reason = 'no such thing';
    const good = [
      { kernel: 'add_f32', reason },
      { kernel: 'add_f32', case: 'N=63', reason },
    ] as const;
    const bad = [
      { kernel: 'gone_f32' as 'add_f32', reason },
      { kernel: 'add_f32', case: 'bits=4', reason },
    ] as const;
    expect(unmatched([...good, ...bad])).toEqual(bad);
  });
});
