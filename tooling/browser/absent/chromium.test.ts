import { expect, test } from 'vitest';

test('the browser tests run in a Chromium', ({ skip }) => {
  expect(process.env.CI, 'CI must have a Chromium: apt-get install chromium').toBeUndefined();
  skip('no Chromium on this machine: install one, or name it by SPIKELLM_CHROMIUM');
});
