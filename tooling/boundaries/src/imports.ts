import { parseSync, Visitor } from 'vite';

/** The module names that a source file imports or re-exports, types and dynamic imports included. */
export function importsOf(path: string, text: string): string[] {
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`);
  const names: string[] = [];
  new Visitor({
    ImportDeclaration: ({ source }) => void names.push(source.value),
    ExportAllDeclaration: ({ source }) => void names.push(source.value),
    ExportNamedDeclaration: ({ source }) => void (source && names.push(source.value)),
    ImportExpression: ({ source }) => void (isText(source) && names.push(source.value)),
    TSImportType: ({ source }) => void names.push(source.value),
  }).visit(program);
  return names;
}

function isText(node: { type: string }): node is { type: 'Literal'; value: string } {
  return node.type === 'Literal' && 'value' in node && typeof node.value === 'string';
}

/** `@scope/name` of `@scope/name/path`, `name` of `name/path`; undefined for a relative path or a Node builtin. */
export function packageOf(specifier: string): string | undefined {
  if (/^[./]|^node:/.test(specifier)) return undefined;
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}
