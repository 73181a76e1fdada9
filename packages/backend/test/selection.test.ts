import { describe, expect, test, vi } from 'vitest';
import { createReferenceBackend, firstAvailable, SpikeError, type BackendCandidate } from '../src/index.ts';

const refusing = (name: string, code: ConstructorParameters<typeof SpikeError>[0]): BackendCandidate => ({
  name,
  open: () => {
    throw new SpikeError(code, { where: name, expected: 'a device', received: 'none' });
  },
});
const reference: BackendCandidate = { name: 'reference', open: createReferenceBackend };

describe('firstAvailable', () => {
  test('takes the first that runs, and opens none after it', async () => {
    const never = vi.fn<BackendCandidate['open']>(createReferenceBackend);
    const { backend, passed } = await firstAvailable([reference, { name: 'never', open: never }]);
    expect(backend.name).toBe('reference');
    expect(passed).toEqual([]);
    expect(never).not.toHaveBeenCalled();
  });

  test('says what was tried and why it was passed over', async () => {
    const later: BackendCandidate = { name: 'later', open: async () => refusing('later', 'MISSING').open() };
    const { backend, passed } = await firstAvailable([refusing('gpu', 'UNSUPPORTED'), later, reference]);
    expect(backend.name).toBe('reference');
    expect(passed.map(({ name, error }) => `${name}: ${error.code} ${error.message}`)).toEqual([
      'gpu: UNSUPPORTED gpu: expected a device, received none.',
      'later: MISSING later: expected a device, received none.',
    ]);
  });

  test('does not hide a mistake of the caller', async () => {
    await expect(firstAvailable([refusing('gpu', 'INVALID_ARGUMENT'), reference])).rejects.toThrow(
      'gpu: expected a device',
    );
  });

  test('says what each said where none runs', async () => {
    const none = firstAvailable([refusing('gpu', 'MISSING'), refusing('cpu', 'DEVICE_LOST')]);
    await expect(none).rejects.toThrow(
      'received gpu (gpu: expected a device, received none.) and cpu (cpu: expected a device, received none.); add',
    );
    await expect(firstAvailable([])).rejects.toMatchObject({ code: 'MISSING' });
  });
});
