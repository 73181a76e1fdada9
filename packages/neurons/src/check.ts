/** The argument checks of this package: each passes, or throws the one sentence. */
import { SpikeError } from '@spikellm/backend';

export function checkWhole(where: string, name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  const expected = `${name} to be a whole number from ${least} to ${most}`;
  throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(value) });
}

export function checkPositive(where: string, name: string, value: number): void {
  if (Number.isFinite(value) && value > 0) return;
  const expected = `${name} to be a finite number above 0`;
  throw new SpikeError('INVALID_ARGUMENT', { where, expected, received: String(value) });
}

export function checkFinite(where: string, name: string, value: number): void {
  if (Number.isFinite(value)) return;
  const expected = `${name} to be a finite number`;
  throw new SpikeError('NOT_FINITE', { where, expected, received: String(value) });
}
