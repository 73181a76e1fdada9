/**
 * The C++ kernels of SpikeLLM as a driver calls them. The sources are in the folder `native` of this package; a backend
 * compiles them for its instruction sets and provides a `Device` that runs them.
 *
 * @module
 */
export { MOST_NUMBERS, MOST_OPERANDS, type Device } from './device.ts';
export { createNativeDriver } from './driver.ts';
export { errorOf, type Fault } from './fault.ts';
