/**
 * The stages of a decoder layer around its linears. Where weights are packed and the linears of a stage share their
 * spikes, a stage is one kernel; else the same kernels run one after the other, to the same bits.
 */
import type { DeviceTensor, Runner } from '@spikellm/backend';
import {
  hostTensor,
  isPacked,
  packedConstants,
  prepareGroup,
  stepClasses,
  type LinearWeights,
} from './linear.ts';
import type { SpikingConfig } from './spiking-config.ts';

/** One stage: from x and what else it takes to its result. */
export interface Stage<More extends readonly DeviceTensor[], Y> {
  /** Float weights on the device, by name of the linear; packed ones are not among them. */
  readonly weights: ReadonlyMap<string, DeviceTensor>;
  /** `watch` sees what the linears read; it costs a norm of its own where the stage is one kernel. */
  run(watch: ((input: DeviceTensor) => void) | undefined, x: DeviceTensor, ...more: More): Y;
}

/** RMSNorm before the linears of a stage. */
export interface Norm {
  readonly weight: DeviceTensor;
  readonly eps: number;
}
interface Heads {
  readonly H: number;
  readonly K: number;
  readonly D: number;
}

/** x [N, C] to q [N, H D], k [N, K D] and v [N, K D], before RoPE. */
export function prepareQkv(
  runner: Runner,
  linears: readonly LinearWeights[],
  spiking: SpikingConfig | undefined,
  norm: Norm,
  heads: Heads,
): Stage<[], readonly DeviceTensor[]> {
  const { weight, eps } = norm;
  const fused = sharedSpikes(linears, spiking, ({ attributes, steps, weights: [q, k, v] }) => {
    const constants = { steps, ...named('q', q), ...named('k', k), ...named('v', v) };
    const kernel = runner.prepare('qkv_gif_f32', { ...heads, ...attributes, eps }, constants);
    return (x: DeviceTensor) => {
      const { q: query, k: key, v: value } = runner.apply(kernel, { x, norm: weight });
      return [query, key, value];
    };
  });
  return stage(normed(runner, norm), fused, () => prepareGroup(runner, linears, spiking));
}

/** x [N, C] to what SwiGLU makes of gate and up [N, O]. */
export function prepareGateUp(
  runner: Runner,
  linears: readonly LinearWeights[],
  spiking: SpikingConfig | undefined,
  norm: Norm,
): Stage<[], DeviceTensor> {
  const { weight, eps } = norm;
  const fused = sharedSpikes(linears, spiking, ({ attributes, steps, weights: [gate, up] }) => {
    const constants = { steps, ...named('gate', gate), ...named('up', up) };
    const kernel = runner.prepare('gate_up_gif_f32', { ...attributes, eps }, constants);
    return (x: DeviceTensor) => runner.apply(kernel, { x, norm: weight }).y;
  });
  return stage(normed(runner, norm), fused, () => {
    const group = prepareGroup(runner, linears, spiking);
    const swiglu = (x: DeviceTensor): DeviceTensor => {
      const [gate, up] = group.run(x);
      return runner.run('swiglu_f32', { gate, up }).y;
    };
    return { weights: group.weights, run: swiglu };
  });
}

/** x [N, C] and the residual stream [N, O] to the stream with the linear of x added to it. */
export function prepareResidual(
  runner: Runner,
  linear: LinearWeights,
  spiking: SpikingConfig | undefined,
): Stage<[residual: DeviceTensor], DeviceTensor> {
  const fused = sharedSpikes([linear], spiking, ({ attributes, steps, weights: [only] }) => {
    const kernel = runner.prepare('linear_gif_f32', attributes, { steps, ...only });
    return (x: DeviceTensor, residual: DeviceTensor) => runner.apply(kernel, { x, add: residual }).y;
  });
  return stage(
    (x) => x,
    fused,
    () => {
      const group = prepareGroup(runner, [linear], spiking);
      const added = (x: DeviceTensor, residual: DeviceTensor): DeviceTensor =>
        runner.run('add_f32', { a: residual, b: group.run(x)[0] }).y;
      return { weights: group.weights, run: added };
    },
  );
}

const normed =
  (runner: Runner, { weight, eps }: Norm) =>
  (x: DeviceTensor): DeviceTensor =>
    runner.run('rmsnorm_f32', { x, weight }, { eps }).y;

type Run<More extends readonly DeviceTensor[], Y> = (x: DeviceTensor, ...more: More) => Y;

/** A stage of the fused kernel where there is one, which does what `before` does too; else of its parts. */
function stage<More extends readonly DeviceTensor[], Y>(
  before: (x: DeviceTensor) => DeviceTensor,
  fused: Run<More, Y> | undefined,
  prepareParts: () => { readonly weights: ReadonlyMap<string, DeviceTensor>; readonly run: Run<More, Y> },
): Stage<More, Y> {
  if (fused !== undefined) {
    return {
      weights: new Map(),
      run(watch, x, ...more) {
        watch?.(before(x));
        return fused(x, ...more);
      },
    };
  }
  const parts = prepareParts();
  return {
    weights: parts.weights,
    run(watch, x, ...more) {
      const input = before(x);
      watch?.(input);
      return parts.run(input, ...more);
    },
  };
}

type Constants = ReturnType<typeof packedConstants>;
/** The constants of one of several linears. */
const named = <Prefix extends string>(prefix: Prefix, own: Constants) =>
  ({
    [`${prefix}Weight`]: own.weight,
    [`${prefix}WeightScale`]: own.weightScale,
    [`${prefix}WeightZero`]: own.weightZero,
    [`${prefix}Bias`]: own.bias,
  }) as Record<`${Prefix}Weight` | `${Prefix}WeightScale` | `${Prefix}WeightZero`, Constants['weight']> &
    Record<`${Prefix}Bias`, Constants['bias']>;

interface SharedSpikes {
  readonly attributes: ReturnType<typeof formatOf>;
  readonly steps: ReturnType<typeof hostTensor>;
  readonly weights: readonly Constants[];
}
const formatOf = ({ activations }: SpikingConfig, steps: Uint8Array, weightBits: number) => ({
  bits: activations.bits,
  range: activations.range,
  classes: stepClasses(steps),
  weightBits,
});

/** What `prepare` makes of linears with packed weights of the same bits on the same spikes; undefined for others. */
function sharedSpikes<T>(
  linears: readonly LinearWeights[],
  spiking: SpikingConfig | undefined,
  prepare: (shared: SharedSpikes) => T,
): T | undefined {
  const { steps } = linears[0];
  const weights = linears.map(({ weight }) => weight).filter(isPacked);
  if (spiking === undefined || steps === undefined || weights.length < linears.length) return undefined;
  const same = (linear: LinearWeights): boolean => linear.steps?.join() === steps.join();
  const [{ bits }] = weights;
  if (!linears.every(same) || weights.some((weight) => weight.bits !== bits)) return undefined;
  return prepare({
    attributes: formatOf(spiking, steps, bits),
    steps: hostTensor('uint8', steps),
    weights: weights.map((weight, i) => packedConstants(weight, linears[i].bias)),
  });
}
