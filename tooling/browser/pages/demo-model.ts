/** The bundled float model as a page has it: fetched as assets. */
import { widenFloat16, type HostTensor } from '@spikellm/backend';
import { model } from '@spikellm/demo-model';
import type { TensorSource } from '@spikellm/graph';

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

/** What `loadDecoder` takes. All tensors of the file are F16. */
export async function fetchDemoModel(): Promise<{ config: Record<string, unknown>; tensors: TensorSource }> {
  const [config, file] = await Promise.all([
    fetch(model.config).then((response) => response.json() as Promise<Record<string, unknown>>),
    fetch(model.weights).then((response) => response.arrayBuffer()),
  ]);
  const headerBytes = Number(new DataView(file).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(file, 8, headerBytes))) as Record<
    string,
    Entry
  >;
  return {
    config,
    tensors: {
      info: (name) => header[name],
      read(name, { as = 'float32' } = {}): Promise<HostTensor> {
        const { shape, data_offsets } = header[name];
        const [from, to] = data_offsets.map((offset) => 8 + headerBytes + offset);
        const halves = new Uint16Array(file.slice(from, to));
        return Promise.resolve(
          as === 'stored'
            ? { type: 'float16', data: halves, dims: shape }
            : { type: 'float32', data: widenFloat16(halves), dims: shape },
        );
      },
    },
  };
}
