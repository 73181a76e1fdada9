/** A kernel that knows positions gives N tokens of one call what it gives them in N calls: nothing sees the future. */
import {
  createRunner,
  kernelNames,
  kernels,
  type Backend,
  type DeviceTensor,
  type KernelRow,
} from '@spikellm/backend';
import type { ElementArray, KernelName } from '@spikellm/backend';
import { expect } from 'vitest';
import { casesOfKernel, type Check } from '../check.ts';
import { difference, fill, readWritten, run, type Elements, type Filled, type Results } from '../run.ts';

const positioned = kernelNames.filter((kernel) =>
  (kernels[kernel] as KernelRow).scalars.includes('position'),
);

export const tokenChecks: Check[] = positioned.flatMap((kernel) =>
  casesOfKernel(kernel)
    .filter(({ id }) => /^(position|window|softcap)=/.test(id) || id === 'N=65')
    .map((one) => ({
      name: `${kernel}, ${one.title}`,
      needs: [kernel],
      id: one.id,
      run: (backend) => sameSingly(backend, kernel, fill(one)),
    })),
);

async function sameSingly(backend: Backend, kernel: KernelName, filled: Filled): Promise<void> {
  const found = difference(filled, await runSingly(backend, kernel, filled), await run(backend, filled));
  expect(found).toBeUndefined();
}

/** The case, a token at a time: states stay, operands of N rows are cut into rows. */
async function runSingly(
  backend: Backend,
  kernel: KernelName,
  { of, dims: named, scalars, operands }: Filled,
): Promise<Results> {
  using runner = createRunner(backend);
  const { row, attributes } = of;
  const namesOf = (...roles: string[]): string[] =>
    Object.keys(operands).filter((name) => roles.includes(row.operands[name].role));
  const isPerToken = (name: string): boolean => row.operands[name].dims[0] === 'N';

  const constants = Object.fromEntries(namesOf('constant').map((name) => [name, operands[name]]));
  const prepared = runner.prepare(kernel, attributes, constants);
  const whole: Record<string, DeviceTensor> = {};
  for (const name of namesOf('input', 'state'))
    if (!isPerToken(name)) whole[name] = runner.upload(operands[name]);

  const results: Record<string, ElementArray> = {};
  for (const name of namesOf('output')) results[name] = operands[name].data.slice();
  for (let n = 0; n < named.N; n++) {
    const tensors = { ...whole };
    for (const name of namesOf('input', 'output')) {
      if (isPerToken(name)) tensors[name] = runner.upload(tokenOf(operands[name], n));
    }
    backend.dispatch(prepared, tensors, { position: scalars.position + n });
    for (const name of namesOf('output')) {
      const values = (await backend.read(tensors[name])).data as ElementArray;
      results[name].set(values, n * values.length);
    }
  }
  return { ...results, ...(await readWritten(backend, row, whole)) };
}

function tokenOf({ type, data, dims }: Elements, n: number): Elements {
  const size = dims.slice(1).reduce((product, dim) => product * dim, 1);
  return {
    type,
    data: data.subarray(n * size, (n + 1) * size),
    dims: [1, ...dims.slice(1)],
  };
}
