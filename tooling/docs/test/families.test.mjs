import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { withFamilies } from '../lib/families.mjs';

it('the README has the families that there are; `npm run docs:families` writes them', () => {
  const readme = readFileSync(new URL('../../../README.md', import.meta.url), 'utf8');
  expect(readme).toBe(withFamilies(readme));
});
