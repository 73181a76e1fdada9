import { chmod } from 'node:fs/promises';
import { createMemoryFiles } from '../src/index.ts';
import { nodeFiles } from '../src/node-files.ts';
import { temporaryFolder } from './fixtures.ts';
import { placeIn, type Place } from './place.ts';

/** The stores of Node, by name; each call gives an empty folder. */
export const places: Readonly<Record<string, () => Promise<Place>>> = {
  disk: async () => ({
    ...placeIn(nodeFiles, await temporaryFolder()),
    protect: (path) => chmod(path, 0o444),
  }),
  memory: async () => {
    const files = createMemoryFiles();
    await files.makeFolder('root');
    return placeIn(files, 'root');
  },
};
