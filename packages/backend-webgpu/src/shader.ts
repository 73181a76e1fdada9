/** A kernel in WGSL as the device runs it: what it binds, which parts it shares with others, and its code. */

/** `read` or `write` (read and write), then the WGSL type. */
export type Binding = `${'read' | 'write'} ${string}`;

/** Code that several kernels share; it may need other parts, which come first. */
export interface Part {
  readonly needs?: readonly Part[];
  readonly code: string;
  /** What takes the place of `code` on devices that have subgroups. */
  readonly withSubgroups?: string;
  /** What takes the place of `code` on devices that have packed dot products. */
  readonly withPackedDot?: string;
}

/**
 * `code` defines `fn run(group: u32, lane: u32)`, called by LANES invocations of every group 0, 1, ...; `params` are the
 * fields of the uniform `params`, each a u32 (`constants` are overrides, fixed when the pipeline is made).
 */
export interface Shader extends Part {
  readonly name: string;
  readonly lanes: number;
  readonly bindings: Readonly<Record<string, Binding>>;
  readonly params: readonly string[];
}

export interface Capabilities {
  readonly subgroups: boolean;
  readonly packedDot: boolean;
}

/** The parts that a part needs, each once, before those that need them. */
function partsOf(part: Part, found: Set<Part> = new Set()): Set<Part> {
  for (const needed of part.needs ?? []) partsOf(needed, found);
  return found.add(part);
}

/** The whole WGSL module of a kernel. */
export function moduleOf(shader: Shader, { subgroups, packedDot }: Capabilities): string {
  const parts = [...partsOf(shader)];
  const code = parts.map(
    (part) =>
      (subgroups ? part.withSubgroups : undefined) ??
      (packedDot ? part.withPackedDot : undefined) ??
      part.code,
  );
  const bindings = Object.entries(shader.bindings).map(([name, binding], i) => {
    const [access, ...type] = binding.split(' ');
    return `@group(0) @binding(${i + 1}) var<storage, ${access === 'read' ? 'read' : 'read_write'}> ${name}: ${type.join(' ')};`;
  });
  const fields = [...shader.params, 'groups', 'nothing'].map((name) => `  ${name}: u32,`);
  return [
    subgroups && parts.some((part) => part.withSubgroups !== undefined) ? 'enable subgroups;' : '',
    `const LANES = ${shader.lanes}u;`,
    'struct Params {',
    ...fields,
    '}',
    '@group(0) @binding(0) var<uniform> params: Params;',
    ...bindings,
    ...code,
    `@compute @workgroup_size(${shader.lanes})
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) lane: u32) {
  let group = id.y * size.x + id.x;
  if (group < params.groups) { run(group, lane); }
}`,
  ].join('\n');
}
