// Writes the table of families into the README.
import { readFileSync, writeFileSync } from 'node:fs';
import { withFamilies } from './lib/families.mjs';

const readme = new URL('../../README.md', import.meta.url);
writeFileSync(readme, withFamilies(readFileSync(readme, 'utf8')));
