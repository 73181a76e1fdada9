/** Rows of the kernel table keep the rules that backends rely on. */
import { describe, expect, it } from 'vitest';
import { composites, createReferenceBackend, kernelNames, kernels, type KernelRow } from '../src/index.ts';

/** Dims that a row derives from attributes, by the attribute. */
const DERIVED = { classes: ['S'], weightChannels: ['C', 'E', 'W'] };
const attributesBind = (row: KernelRow): string[] => [
  ...Object.keys(row.attributes),
  ...Object.entries(DERIVED).flatMap(([name, letters]) => (name in row.attributes ? letters : [])),
];
const lettersOf = (dims: KernelRow['operands'][string]['dims']): string[] =>
  dims.flatMap((dim) => (typeof dim === 'string' ? dim.split('*') : []));

describe.each(kernelNames)('%s', (kernel) => {
  const row: KernelRow = kernels[kernel];
  const operands = Object.values(row.operands);

  it('is named <operation>_<variant>_<element type> and says what it computes and where that is from', () => {
    expect(kernel).toMatch(/^[a-z]+(_[a-z]+)*_f32$/);
    expect(row.formula.length).toBeGreaterThan(5);
    expect(row.source.length).toBeGreaterThan(5);
  });

  it('writes something, within a tolerance that is not negative', () => {
    expect(operands.some(({ role }) => role === 'output' || role === 'state')).toBe(true);
    expect(Object.values(row.tolerance).every((part) => part >= 0 && part < 1e-4)).toBe(true);
  });

  it('has outputs whose every letter is bound by an attribute or by what comes before', () => {
    const bound = new Set(attributesBind(row));
    for (const { dims } of operands.filter(({ role }) => role !== 'output')) {
      for (const letter of lettersOf(dims)) bound.add(letter);
    }
    for (const { dims } of operands.filter(({ role }) => role === 'output')) {
      for (const letter of lettersOf(dims)) expect([...bound]).toContain(letter);
    }
  });

  it('has constants whose letters constants and attributes bind alone', () => {
    const bound = new Set(attributesBind(row));
    const constants = operands.filter(({ role }) => role === 'constant');
    for (const { dims } of constants) {
      for (const dim of dims) {
        const read = new Set<string>();
        if (typeof dim === 'function')
          dim(new Proxy({}, { get: (_, letter) => (read.add(String(letter)), 1) }));
        for (const letter of read) expect([...bound]).toContain(letter);
        for (const letter of typeof dim === 'string' ? dim.split('*') : []) bound.add(letter);
      }
    }
  });

  it('is one that the reference backend has', () => {
    using backend = createReferenceBackend();
    expect(backend.supports(kernel)).toBe(true);
  });
});

it('composites are made of kernels that have no default body of their own', () => {
  for (const { needs } of Object.values(composites)) {
    expect(needs.length).toBeGreaterThan(1);
    for (const needed of needs) expect(Object.keys(composites)).not.toContain(needed);
  }
});
