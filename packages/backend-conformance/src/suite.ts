import {
  createReferenceBackend,
  kernelNames,
  type Backend,
  type BackendReport,
  type KernelName,
} from '@spikellm/backend';
import type { KernelsGolden } from '@spikellm/golden';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { casesOfKernel, type Check, type CreateBackend } from './check.ts';
import { compositeChecks } from './checks/composites.ts';
import { errorChecks } from './checks/errors.ts';
import { goldenChecks } from './checks/golden.ts';
import { lifetimeChecks } from './checks/lifetime.ts';
import { orderChecks } from './checks/order.ts';
import { tokenChecks } from './checks/tokens.ts';
import { trainingChecks } from './checks/training.ts';
import { formulas } from './formulas/index.ts';
import { difference, fill, run } from './run.ts';

/** A kernel, or one case of it, that a backend does not meet. */
export interface Skip {
  readonly kernel: KernelName;
  /** The id of a case, such as `data=huge`; all cases, and the checks that need the kernel, where it is left out. */
  readonly case?: string;
  /** Why, for those who read the test report. */
  readonly reason: string;
}

export interface ConformanceOptions {
  /** Called once for the kernels, and again for the checks that dispose their backend. */
  readonly createBackend: CreateBackend;
  /** `readGolden('kernels')` of @spikellm/golden. */
  readonly golden: KernelsGolden;
  /** Every skip is reported with its reason; one that matches nothing fails. */
  readonly skip?: readonly Skip[];
  /** Throws where the backend does not run on what is to be tested, so that a fallback cannot pass in its stead. */
  readonly expectReport?: (report: BackendReport) => void;
}

/** Skips that name no kernel and case of the suite. */
export const unmatched = (skips: readonly Skip[]): Skip[] =>
  skips.filter(
    (skip) =>
      !kernelNames.includes(skip.kernel) ||
      (skip.case !== undefined && casesOfKernel(skip.kernel).every(({ id }) => id !== skip.case)),
  );

/**
 * Declares the tests that a backend must pass: every kernel of the table over swept sizes, attributes and data, against
 * the reference backend and against formulas written down element by element; the numbers of the published research
 * code; and what the `Backend` interface promises of order, lifetimes and errors.
 *
 * @example
 * describeConformance({ createBackend: createReferenceBackend, golden: readGolden('kernels') });
 */
export function describeConformance(options: ConformanceOptions): void {
  describe('conformance', () => {
    declareTests(options);
  });
}

function declareTests({ createBackend, golden, skip = [], expectReport }: ConformanceOptions): void {
  const reference = createReferenceBackend();
  let backend: Backend;
  const reasonFor = (kernel: KernelName, id?: string): string | undefined =>
    skip.find((one) => one.kernel === kernel && (one.case === undefined || one.case === id))?.reason;

  beforeAll(async () => {
    backend = await createBackend();
    expectReport?.(backend.report);
  });
  afterAll(() => {
    backend?.dispose();
    reference.dispose();
  });

  it('names only kernels and cases that exist in its skips', () => {
    expect(unmatched(skip)).toEqual([]);
  });

  for (const kernel of kernelNames) {
    for (const one of casesOfKernel(kernel)) {
      it(`${kernel}: ${one.title}`, async (context) => {
        const reason = reasonFor(kernel, one.id);
        if (reason !== undefined) context.skip(reason);
        const filled = fill(one);
        const got = await run(backend, filled);
        const fromReference = difference(filled, got, await run(reference, filled));
        expect(fromReference && `differs from the reference backend: ${fromReference}`).toBeUndefined();
        const inputs = Object.fromEntries(
          Object.entries(filled.operands).map(([name, { data }]) => [name, data]),
        );
        const wanted = formulas[kernel]?.(inputs, filled.dims, one.attributes as never, filled.scalars);
        const fromFormula = wanted && difference(filled, got, wanted);
        expect(fromFormula && `differs from the formula: ${fromFormula}`).toBeUndefined();
      });
    }
  }

  const groups: Readonly<Record<string, readonly Check[]>> = {
    'numbers of the research code': goldenChecks(golden),
    'default body': compositeChecks,
    'token by token': tokenChecks,
    training: trainingChecks,
    order: orderChecks,
    lifetimes: lifetimeChecks,
    errors: errorChecks,
  };
  for (const [group, checks] of Object.entries(groups)) {
    for (const check of checks) {
      it(`${group}: ${check.name}`, async (context) => {
        const reason = check.needs
          .map((kernel) => reasonFor(kernel, check.id))
          .find((found) => found !== undefined);
        if (reason !== undefined) context.skip(reason);
        expect.hasAssertions();
        await check.run(backend, createBackend);
      });
    }
  }

  it('leaves nothing alive', () => {
    expect(backend.liveBytes).toBe(0);
  });
}
