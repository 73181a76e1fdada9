import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** node-gyp's option for Node's own headers: those that are installed beside it need no download. */
export function nodeHeaders() {
  const prefix = join(dirname(process.execPath), '..');
  return existsSync(join(prefix, 'include', 'node', 'node_api.h')) ? [`--nodedir=${prefix}`] : [];
}
