/**
 * What is left in the membrane after a step fired `spikes` spikes of one `threshold` each.
 * `membrane` and `threshold` have the unit of the input; `spikes` may be negative for a ternary neuron.
 */
export type Reset = (membrane: number, spikes: number, threshold: number) => number;

/** v - s theta: what was fired leaves, the rest stays. No charge is lost, so the spike count is a quantiser. */
export const softReset: Reset = (membrane, spikes, threshold) => membrane - spikes * threshold;

/** 0 after any spike: the charge above the threshold is lost, so the spike count is NOT a quantiser. */
export const hardReset: Reset = (membrane, spikes) => (spikes === 0 ? membrane : 0);
