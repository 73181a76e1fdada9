/** Memory that is free and not given back yet; both bounds were measured. */

/** Of `used` bytes on a device: the native backend keeps blocks for tensors to come. */
export const keptBytes = (used: number): number => Math.min(128e6, used);

/** Of `used` bytes of arrays, all in all: they wait until enough garbage has come together. */
export const garbageBytes = (used: number): number => Math.min(24e6, used);
