/** Pipelines of one device, made once for each shader and its constants, and the bindings that they were run with. */
import type { DeviceBuffer } from './pool.ts';
import { moduleOf, type Capabilities, type Shader } from './shader.ts';

/** Bindings that are kept, over all pipelines: those of a few tokens of a large model. */
const KEPT_BINDINGS = 8192;
const COMPUTE = 4;

export interface Pipeline {
  readonly gpu: GPUComputePipeline;
  /** Invocations of a group. */
  readonly lanes: number;
  /** The bind group of these operands; `nothing` stands for those that are absent. */
  bind(
    params: GPUBuffer,
    operands: Readonly<Record<string, DeviceBuffer | undefined>>,
    nothing: DeviceBuffer,
  ): GPUBindGroup;
}

export interface Pipelines {
  of(shader: Shader, constants: Readonly<Record<string, number>>): Pipeline;
  /** Drops all bindings, before a buffer goes that they may name. */
  forgetBindings(): void;
}

export function createPipelines(device: GPUDevice, capabilities: Capabilities): Pipelines {
  const made = new Map<Shader, Map<string, Pipeline>>();
  const modules = new Map<
    Shader,
    { readonly module: GPUShaderModule; readonly layout: GPUBindGroupLayout }
  >();
  const bindings = new Map<string, GPUBindGroup>();

  function moduleAndLayout(shader: Shader) {
    const known = modules.get(shader);
    if (known !== undefined) return known;
    const { name: label } = shader;
    const module = device.createShaderModule({ label, code: moduleOf(shader, capabilities) });
    const storages = Object.values(shader.bindings).map((binding, i) => ({
      binding: i + 1,
      visibility: COMPUTE,
      buffer: { type: binding.startsWith('read ') ? ('read-only-storage' as const) : ('storage' as const) },
    }));
    const uniform = { binding: 0, visibility: COMPUTE, buffer: { hasDynamicOffset: true } };
    const layout = device.createBindGroupLayout({ label, entries: [uniform, ...storages] });
    modules.set(shader, { module, layout });
    return { module, layout };
  }

  function make(shader: Shader, constants: Readonly<Record<string, number>>, id: number): Pipeline {
    const { module, layout } = moduleAndLayout(shader);
    const gpu = device.createComputePipeline({
      label: shader.name,
      layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module, constants },
    });
    const names = Object.keys(shader.bindings);
    return {
      gpu,
      lanes: shader.lanes,
      bind(params, operands, nothing) {
        const buffers = names.map((name) => operands[name] ?? nothing);
        const key = `${id} ${buffers.map((buffer) => buffer.id).join()}`;
        const known = bindings.get(key);
        if (known !== undefined) return known;
        if (bindings.size >= KEPT_BINDINGS) bindings.clear();
        const group = device.createBindGroup({
          label: shader.name,
          layout,
          entries: [
            { binding: 0, resource: { buffer: params, size: 256 } },
            ...buffers.map(({ gpu: buffer }, i) => ({ binding: i + 1, resource: { buffer } })),
          ],
        });
        bindings.set(key, group);
        return group;
      },
    };
  }

  let count = 0;
  return {
    of(shader, constants) {
      let variants = made.get(shader);
      if (variants === undefined) made.set(shader, (variants = new Map()));
      const key = Object.values(constants).join();
      let pipeline = variants.get(key);
      if (pipeline === undefined) variants.set(key, (pipeline = make(shader, constants, ++count)));
      return pipeline;
    },
    forgetBindings: () => bindings.clear(),
  };
}
