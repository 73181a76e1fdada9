/** What this engine can do, found by modules of one instruction. */

/** Instruction sets that the kernels are compiled for, the best first. */
export const instructionSets = ['relaxed-simd', 'simd128'] as const;
export type InstructionSet = (typeof instructionSets)[number];

/** A module with one function of type () -> v128, given its code. */
const moduleOf = (...code: number[]): Uint8Array<ArrayBuffer> => {
  const body = [0, ...code, 0x0b];
  const sections = [
    [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    [1, 5, 1, 0x60, 0, 1, 0x7b], // one type
    [3, 2, 1, 0], // one function of it
    [10, body.length + 2, 1, body.length, ...body],
  ];
  return Uint8Array.from(sections.flat());
};
/** i32.const 0, i8x16.splat */
const SPLAT = [0x41, 0, 0xfd, 0x0f];
const probes: Readonly<Record<InstructionSet, Uint8Array<ArrayBuffer>>> = {
  simd128: moduleOf(...SPLAT),
  // i32x4.relaxed_dot_i8x16_i7x16_add_s
  'relaxed-simd': moduleOf(...SPLAT, ...SPLAT, ...SPLAT, 0xfd, 0x93, 2),
};

/** Those that this engine runs, the best first; none where it has no WebAssembly or no SIMD. */
export const supportedInstructionSets = (): InstructionSet[] =>
  typeof WebAssembly === 'undefined'
    ? []
    : instructionSets.filter((name) => WebAssembly.validate(probes[name]));

/** Whether memory can be shared with workers. Pages can where they are cross-origin isolated, Node always. */
export const canShareMemory = (): boolean =>
  typeof SharedArrayBuffer !== 'undefined' && (globalThis.crossOriginIsolated ?? true);
