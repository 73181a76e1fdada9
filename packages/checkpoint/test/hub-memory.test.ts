import { describe } from 'vitest';
import { describeDownloads } from './hub-suite.ts';
import { places } from './places.ts';

describe('downloads into memory', () => {
  describeDownloads(places.memory);
});
