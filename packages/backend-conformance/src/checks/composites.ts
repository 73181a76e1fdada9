/** A composite kernel is what its default body makes of other kernels, whether a backend has one of its own or not. */
import {
  composites,
  createRunner,
  kernels,
  type Backend,
  type DeviceTensor,
  type KernelName,
} from '@spikellm/backend';
import { expect } from 'vitest';
import { casesOfKernel, type Check } from '../check.ts';
import { difference, fill, readWritten, run, type Filled, type Results } from '../run.ts';

export const compositeChecks: Check[] = (Object.keys(composites) as KernelName[]).flatMap((kernel) =>
  casesOfKernel(kernel)
    .filter(({ id }) => id.startsWith('data='))
    .map((one) => ({
      name: `${kernel}, ${one.title}`,
      needs: [kernel, ...composites[kernel]!.needs],
      id: one.id,
      run: (backend) => sameAsBody(backend, kernel, fill(one)),
    })),
);

async function sameAsBody(backend: Backend, kernel: KernelName, filled: Filled): Promise<void> {
  const found = difference(filled, await runBody(backend, kernel, filled), await run(backend, filled));
  expect(found).toBeUndefined();
}

async function runBody(
  backend: Backend,
  kernel: KernelName,
  { of, scalars, operands }: Filled,
): Promise<Results> {
  using runner = createRunner(backend);
  const entries = Object.entries(operands);
  const isConstant = (name: string): boolean => of.row.operands[name].role === 'constant';
  const constants = Object.fromEntries(entries.filter(([name]) => isConstant(name)));
  const tensors: Record<string, DeviceTensor> = {};
  for (const [name, tensor] of entries) if (!isConstant(name)) tensors[name] = runner.upload(tensor);
  const body = composites[kernel]!.body(runner, of.attributes, constants);
  runner.scope(() => body(tensors, scalars));
  return await readWritten(backend, kernels[kernel], tensors);
}
