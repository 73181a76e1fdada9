/**
 * One GPU device as a queue. Commands are listed as they are called and submitted in batches, in that order, a few
 * batches ahead of the GPU: it never waits for JavaScript, and what an abort leaves out has not been submitted yet.
 */
import { SpikeError } from '@spikellm/backend';
import { createPipelines, type Pipeline } from './pipelines.ts';
import { createPool, MAP_MODE_READ, type DeviceBuffer, type Pool } from './pool.ts';
import type { Capabilities, Shader } from './shader.ts';

/** Commands of a batch and about how many invocations, and batches submitted that the GPU has not finished. */
const BATCH = 48;
const BATCH_WORK = 2 ** 21;
const AHEAD = 4;
/** Bytes between the parameters of two dispatches: the alignment that every device allows. */
const PARAMS_BYTES = 256;

/** One run of a shader. */
export interface Run {
  readonly constants?: Readonly<Record<string, number>>;
  /** By the names of the shader's bindings; one that is absent is left out by a parameter of the shader. */
  readonly operands: Readonly<Record<string, DeviceBuffer | undefined>>;
  readonly params: readonly number[];
  readonly groups: number;
  /** Bindings that are written completely, so that what was there need not be cleared. */
  readonly overwrites?: readonly string[];
}

type Command =
  | {
      readonly kind: 'run';
      readonly pipeline: Pipeline;
      readonly run: Run;
      readonly signal: AbortSignal | undefined;
    }
  | { readonly kind: 'clear'; readonly buffer: DeviceBuffer }
  | { readonly kind: 'write'; readonly buffer: DeviceBuffer; readonly data: Uint8Array<ArrayBuffer> }
  | { readonly kind: 'copy'; readonly from: DeviceBuffer; readonly to: DeviceBuffer; readonly bytes: number }
  | { readonly kind: 'mark'; readonly reached: () => void };

export interface Device {
  readonly pool: Pool;
  /** Stands for operands that are absent. */
  readonly nothing: DeviceBuffer;
  write(buffer: DeviceBuffer, data: ArrayBufferView): void;
  /** Makes the pipeline of a run, so that no run waits for it. */
  warm(shader: Shader, constants?: Readonly<Record<string, number>>): void;
  run(shader: Shader, run: Run, signal: AbortSignal | undefined): void;
  /** Waits for the commands so far. Errors: DEVICE_LOST, OUT_OF_MEMORY. */
  synchronize(): Promise<void>;
  /** The first bytes of a buffer as they are after the commands so far. */
  read(buffer: DeviceBuffer, bytes: number): Promise<ArrayBuffer>;
  release(buffer: DeviceBuffer): void;
  close(): void;
}

/** @param owned - whether the device is destroyed on close */
export function openDevice(gpu: GPUDevice, capabilities: Capabilities, owned: boolean): Device {
  const { queue } = gpu;
  const pipelines = createPipelines(gpu, capabilities);
  const pool = createPool(
    gpu,
    (buffer) => buffer.lastUse > submitted,
    () => pipelines.forgetBindings(),
  );
  const nothing = pool.take(16);
  const params = gpu.createBuffer({ size: BATCH * PARAMS_BYTES, usage: 0x40 | 0x8 });
  const words = new Uint32Array((BATCH * PARAMS_BYTES) / 4);

  let commands: Command[] = [];
  let listed = 0;
  /** Invocations of `commands`. */
  let work = 0;
  let submitted = 0;
  let inFlight = 0;
  let closed = false;
  let fault: SpikeError | undefined;
  const waiting = new Set<() => void>();

  function fail(error: SpikeError): void {
    fault ??= error;
    for (const wake of waiting) wake();
    waiting.clear();
  }
  void noticeLoss();
  async function noticeLoss(): Promise<void> {
    const { message, reason } = await gpu.lost;
    if (!closed) fail(lostError(message || reason));
  }
  const onError = ({ error }: GPUUncapturedErrorEvent): void => fail(faultOf(error));
  gpu.addEventListener('uncapturederror', onError);

  const list = (command: Command, ...buffers: readonly DeviceBuffer[]): void => {
    if (fault?.code === 'DEVICE_LOST') throw fault;
    listed++;
    for (const buffer of buffers) buffer.lastUse = listed;
    commands.push(command);
    work += workOf(command);
    if (commands.length >= BATCH || work >= BATCH_WORK) submitSome();
  };
  const clearIfStale = (buffer: DeviceBuffer): void => {
    if (!buffer.stale) return;
    buffer.stale = false;
    list({ kind: 'clear', buffer }, buffer);
  };

  function submitSome(): void {
    while (commands.length > 0 && inFlight < AHEAD) submitBatch();
  }

  /** Encodes the next commands. A write goes to the queue by itself, between two command buffers. */
  function submitBatch(): void {
    let size = 0;
    for (let taken = 0; size < Math.min(BATCH, commands.length) && taken < BATCH_WORK; size++) {
      taken += workOf(commands[size]);
    }
    const batch = commands.splice(0, size);
    for (const command of batch) work -= workOf(command);
    submitted += batch.length;
    if (fault?.code !== 'DEVICE_LOST') encode(batch);
    for (const command of batch) if (command.kind === 'mark') command.reached();
    inFlight++;
    void finishBatch();
  }

  async function finishBatch(): Promise<void> {
    // A lost device rejects; the loss itself is noticed elsewhere.
    await queue.onSubmittedWorkDone().catch(() => undefined);
    inFlight--;
    if (!closed) submitSome();
  }

  function encode(batch: readonly Command[]): void {
    let used = 0;
    for (const command of batch) {
      if (command.kind !== 'run' || command.signal?.aborted) continue;
      const { params: values, groups } = command.run;
      words.set([...values, groups, 0], (used++ * PARAMS_BYTES) / 4);
    }
    if (used > 0) queue.writeBuffer(params, 0, words, 0, (used * PARAMS_BYTES) / 4);
    let encoder: GPUCommandEncoder | undefined;
    let pass: GPUComputePassEncoder | undefined;
    const leavePass = (): GPUCommandEncoder => {
      pass?.end();
      pass = undefined;
      return (encoder ??= gpu.createCommandEncoder());
    };
    const finish = (): void => {
      if (encoder === undefined) return;
      leavePass();
      queue.submit([encoder.finish()]);
      encoder = undefined;
    };
    let slot = 0;
    for (const command of batch) {
      if (command.kind === 'run') {
        if (command.signal?.aborted) continue;
        pass ??= leavePass().beginComputePass();
        const { pipeline, run } = command;
        pass.setPipeline(pipeline.gpu);
        pass.setBindGroup(0, pipeline.bind(params, run.operands, nothing), [slot++ * PARAMS_BYTES]);
        const across = Math.min(run.groups, 65535);
        pass.dispatchWorkgroups(across, Math.ceil(run.groups / across));
      } else if (command.kind === 'clear') {
        leavePass().clearBuffer(command.buffer.gpu);
      } else if (command.kind === 'copy') {
        leavePass().copyBufferToBuffer(command.from.gpu, 0, command.to.gpu, 0, command.bytes);
      } else if (command.kind === 'write') {
        finish();
        queue.writeBuffer(command.buffer.gpu, 0, command.data);
      }
    }
    finish();
  }

  /** Resolves when all commands so far have been submitted. */
  async function allSubmitted(): Promise<void> {
    await new Promise<void>((resolve) => {
      const reached = (): void => {
        waiting.delete(reached);
        resolve();
      };
      waiting.add(reached);
      list({ kind: 'mark', reached });
      submitSome();
    });
    if (fault !== undefined) throw fault;
  }

  return {
    pool,
    nothing,
    warm: (shader, constants = {}) => void pipelines.of(shader, constants),

    write(buffer, { buffer: source, byteOffset, byteLength }) {
      if (byteLength === 0) return;
      const bytes = new Uint8Array(source as ArrayBuffer, byteOffset, byteLength);
      buffer.stale = false;
      if (byteLength % 4 === 0 && buffer.lastUse <= submitted) {
        // Browsers refuse buffers that may still change their length, such as those that tensors are read into.
        queue.writeBuffer(buffer.gpu, 0, (source as ArrayBuffer).resizable ? bytes.slice() : bytes);
        return;
      }
      const data = new Uint8Array(Math.ceil(byteLength / 4) * 4);
      data.set(bytes);
      list({ kind: 'write', buffer, data }, buffer);
    },

    run(shader, run, signal) {
      if (run.groups === 0) return;
      const pipeline = pipelines.of(shader, run.constants ?? {});
      const buffers: DeviceBuffer[] = [];
      for (const name of Object.keys(shader.bindings)) {
        const buffer = run.operands[name];
        if (buffer === undefined) continue;
        if (run.overwrites?.includes(name)) buffer.stale = false;
        else clearIfStale(buffer);
        buffers.push(buffer);
      }
      list({ kind: 'run', pipeline, run, signal }, ...buffers);
    },

    async synchronize() {
      await allSubmitted();
      await queue.onSubmittedWorkDone();
      if (fault !== undefined) throw fault;
    },

    async read(buffer, bytes) {
      const size = Math.ceil(bytes / 4) * 4;
      if (size === 0) {
        await allSubmitted();
        return new ArrayBuffer(0);
      }
      clearIfStale(buffer);
      const staging = pool.takeStaging(size);
      list({ kind: 'copy', from: buffer, to: staging, bytes: size }, buffer, staging);
      await allSubmitted();
      try {
        await staging.gpu.mapAsync(MAP_MODE_READ, 0, size);
      } catch (cause) {
        await Promise.resolve();
        throw fault ?? lostError((cause as Error).message);
      }
      const copy = staging.gpu.getMappedRange(0, size).slice(0, bytes);
      staging.gpu.unmap();
      pool.give(staging);
      if (fault !== undefined) throw fault;
      return copy;
    },

    release: (buffer) => pool.give(buffer),

    close() {
      fail(closedError());
      closed = true;
      submitted = listed;
      commands = [];
      gpu.removeEventListener('uncapturederror', onError);
      pool.give(nothing);
      pool.clear();
      params.destroy();
      if (owned) gpu.destroy();
    },
  };
}

const workOf = (command: Command): number =>
  command.kind === 'run' ? command.run.groups * command.pipeline.lanes : 0;

const lostError = (why: string): SpikeError =>
  new SpikeError('DEVICE_LOST', {
    where: 'backend-webgpu',
    expected: 'a GPU device that works',
    received: `a lost one (${why})`,
    remedy: 'create the backend again and load the model again',
  });

const closedError = (): SpikeError =>
  new SpikeError('DISPOSED', {
    where: 'backend-webgpu',
    expected: 'a live backend',
    received: 'a disposed backend',
  });

const faultOf = (error: GPUError): SpikeError =>
  error.constructor.name === 'GPUOutOfMemoryError'
    ? new SpikeError('OUT_OF_MEMORY', {
        where: 'backend-webgpu',
        expected: 'memory on the GPU',
        received: error.message,
        remedy: 'use a smaller model, or a shorter text',
      })
    : new SpikeError('UNSUPPORTED', {
        where: 'backend-webgpu',
        expected: 'a GPU driver that runs the kernels',
        received: error.message,
        remedy: 'choose another backend',
      });
