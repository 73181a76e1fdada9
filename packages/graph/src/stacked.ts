/** Linears that a file stores as one tensor, their rows one below the other. */
import type { HostTensor } from '@spikellm/backend';
import { createArena, type HostArena } from './host-arena.ts';
import { nodesOf } from './ir/nodes.ts';
import type { ModelGraph } from './model.ts';
import { checkTensor, type TensorReadOptions, type TensorSource } from './tensors.ts';

/** Rows of a tensor that stand for a tensor of their own. */
interface Rows {
  readonly stored: string;
  /** Of the tensor that is stored. */
  readonly outputs: number;
  readonly from: number;
  readonly to: number;
  readonly inputs: number;
}

/**
 * The tensors of a file by the names of the linears, where it stores some as one: rows of what is stored. One that spikes
 * stores each by itself. Errors: SHAPE for a stored tensor that has not the rows of all.
 */
export function unstack<Source extends TensorSource>(source: Source, model: ModelGraph): Source {
  const rows = rowsOf(source, model);
  if (rows.size === 0) return source;
  const parts = new Map<string, string[]>();
  for (const [name, { stored }] of rows) parts.set(stored, [...(parts.get(stored) ?? []), name]);
  return {
    ...source,
    *names() {
      for (const name of source.names()) yield* parts.get(name) ?? [name];
    },
    info(name: string) {
      const own = rows.get(name);
      if (own === undefined) return source.info(name);
      const { shape, ...info } = source.info(own.stored)!;
      const outputs = own.to - own.from;
      const bytes = 'bytes' in info && { bytes: (Number(info.bytes) / own.outputs) * outputs };
      return { ...info, shape: [outputs, ...shape.slice(1)], ...bytes };
    },
    async read(name: string, options: TensorReadOptions = {}) {
      const own = rows.get(name);
      if (own === undefined) return source.read(name, options);
      // What is not kept of the whole must not wait for the garbage collector.
      const arena = createArena();
      const whole = await source.read(own.stored, { ...options, allocate: arena.allocate });
      const part = cut(whole, own, options.allocate);
      arena.free();
      return part;
    },
  };
}

function rowsOf(source: TensorSource, { layers, stacked = {} }: ModelGraph): ReadonlyMap<string, Rows> {
  const rows = new Map<string, Rows>();
  for (const layer of layers) {
    const linears = new Map(nodesOf(layer, 'linear').map((node) => [node.name, node]));
    for (const [name, parts] of Object.entries(stacked)) {
      for (const field of ['weight', 'bias'] as const) {
        const stored = `${layer.prefix}${name}.${field}`;
        const nodes = parts.map((part) => linears.get(part)!);
        const isStored = (part: string): boolean =>
          source.info(`${layer.prefix}${part}.${field}`) !== undefined;
        if (!isStored(name) || parts.some(isStored)) continue;
        const outputs = nodes.reduce((sum, { output }) => sum + output.width, 0);
        const inputs = nodes[0].inputs.x.width;
        checkTensor(source, stored, field === 'weight' ? [outputs, inputs] : [outputs]);
        let from = 0;
        for (const node of nodes) {
          const to = from + node.output.width;
          const own = { stored, outputs, from, to, inputs: field === 'weight' ? inputs : 1 };
          rows.set(`${layer.prefix}${node.name}.${field}`, own);
          from = to;
        }
      }
    }
  }
  return rows;
}

type Elements = Float32Array | Uint16Array;

function cut(
  { type, data, dims }: HostTensor,
  { from, to, inputs }: Rows,
  allocate: HostArena['allocate'] = (bytes) => new ArrayBuffer(bytes),
): HostTensor {
  const rows = (data as Elements).subarray(from * inputs, to * inputs);
  const own = new (data.constructor as new (buffer: ArrayBuffer) => Elements)(allocate(rows.byteLength));
  own.set(rows);
  return { type, dims: [to - from, ...dims.slice(1)], data: own };
}
