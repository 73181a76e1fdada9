import { DEFAULT_SETTINGS, type QuantizeSettings } from '@spikellm/calibration';

/** Plain round-to-nearest with the bits of other settings: what spikes are held against. */
export const roundToNearest = ({ weightBits, activationBits, key }: QuantizeSettings): QuantizeSettings => ({
  ...DEFAULT_SETTINGS,
  weightBits,
  activationBits,
  key,
  steps: 1,
  salientFraction: 0,
});
