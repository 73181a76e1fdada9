/** How one layer attends and what it remembers, for each key quantiser. */
import { codeType, SpikeError, type Backend, type DeviceTensor, type Runner } from '@spikellm/backend';
import { hostTensor } from '../host-tensor.ts';
import type { AttentionNode } from '../ir/nodes.ts';
import { stepClasses } from '../salient.ts';
import { spikesInCache, type SpikingConfig } from '../spiking-config.ts';

/** Spike steps of the cached channels of one layer, uint8 [K D] ([H D] for the published key quantiser). */
export interface KvSteps {
  readonly keys: Uint8Array;
  readonly values: Uint8Array;
}

/** The state that one layer keeps between calls: its operands by name. */
export type LayerCache = Readonly<Record<string, DeviceTensor>>;

/** Attention of one layer: queries, keys after RoPE, values; each [N, heads D]. */
export type Attend = (
  q: DeviceTensor,
  k: DeviceTensor,
  v: DeviceTensor,
  cache: LayerCache,
  position: number,
) => DeviceTensor;

export interface PreparedAttention {
  readonly attend: Attend;
  /**
   * How many of the first `wanted` of `held` tokens the cache still holds as it held them then. What has been closed in
   * blocks cannot be opened again.
   */
  kept(wanted: number, held: number): number;
  allocate(backend: Backend, capacity: number): LayerCache;
}

/** Cached channels that have steps of their own: K D, or H D for the published key quantiser. */
export const cachedChannels = (
  { heads, kvHeads, headSize }: Pick<AttentionNode, 'heads' | 'kvHeads' | 'headSize'>,
  key: SpikingConfig['kv']['key'],
): number => (key === 'whole' ? heads : kvHeads) * headSize;

/** Attributes that every attention kernel has. */
export const attentionAttributes = (node: AttentionNode) => ({
  H: node.heads,
  K: node.kvHeads,
  D: node.headSize,
  scale: node.scale,
  window: node.window,
  softcap: node.softcap,
});

export function prepareAttention(
  runner: Runner,
  node: AttentionNode,
  spiking: SpikingConfig | undefined,
  steps: KvSteps | undefined,
): PreparedAttention {
  const shape = attentionAttributes(node);
  const width = node.kvHeads * node.headSize;
  if (!spikesInCache(spiking) || steps === undefined) {
    return {
      attend: (q, k, v, { keys, values }, position) =>
        runner.run('attend_f32', { q, k, v, keys, values }, shape, { position }).y,
      kept: (wanted) => wanted,
      allocate: (backend, capacity) => ({
        keys: backend.allocate('float32', [capacity, width]),
        values: backend.allocate('float32', [capacity, width]),
      }),
    };
  }
  const { key, bits, block } = spiking.kv;
  const gif = {
    ...shape,
    bits,
    range: spiking.activations.range,
    classes: stepClasses(steps.keys, steps.values),
  };
  const constants = {
    keySteps: hostTensor('uint8', steps.keys),
    valueSteps: hostTensor('uint8', steps.values),
  };
  if (key === 'whole') {
    const kernel = runner.prepare('attend_gif_whole_f32', gif, constants);
    return {
      attend: (q, k, v, _, position) => {
        refuseContinuation(position);
        return runner.apply(kernel, { q, k, v }).y;
      },
      kept: (wanted, held) => (wanted === held ? held : 0),
      allocate: () => ({}),
    };
  }
  const type = codeType(gif);
  const perToken = node.kvHeads * gif.classes.length;
  const coded = (backend: Backend, name: string, capacity: number, rows: number, columns: number) => ({
    [`${name}Codes`]: backend.allocate(type, [capacity, width]),
    [`${name}Scale`]: backend.allocate('float32', [rows, columns]),
    [`${name}Zero`]: backend.allocate('int32', [rows, columns]),
  });
  const values = (backend: Backend, capacity: number) =>
    coded(backend, 'value', capacity, capacity, perToken);
  if (key === 'token') {
    const kernel = runner.prepare('attend_gif_token_f32', gif, constants);
    return {
      attend: (q, k, v, cache, position) =>
        runner.apply(kernel, { q, k, v, ...cache } as never, { position }).y,
      kept: (wanted) => wanted,
      allocate: (backend, capacity) => ({
        ...coded(backend, 'key', capacity, capacity, perToken),
        ...values(backend, capacity),
      }),
    };
  }
  const kernel = runner.prepare('attend_gif_block_f32', { ...gif, block }, constants);
  return {
    attend: (q, k, v, cache, position) =>
      runner.apply(kernel, { q, k, v, ...cache } as never, { position }).y,
    kept: (wanted, held) => {
      const open = Math.floor(held / block) * block;
      return wanted >= open ? wanted : Math.floor(wanted / block) * block;
    },
    allocate: (backend, capacity) => ({
      openKeys: backend.allocate('float32', [block, width]),
      ...coded(backend, 'key', capacity, Math.ceil(capacity / block), width),
      ...values(backend, capacity),
    }),
  };
}

function refuseContinuation(position: number): void {
  if (position === 0) return;
  throw new SpikeError('UNSUPPORTED', {
    where: "kv.key 'whole'",
    expected: 'whole windows, since its key ranges see later tokens',
    received: `a continuation at position ${position}`,
    remedy: 'generate with a model quantised with --kv block or token',
  });
}
