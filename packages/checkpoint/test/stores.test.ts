import { describe } from 'vitest';
import { places } from './places.ts';
import { describeStore } from './store-suite.ts';

describe.each(Object.keys(places))('the store of %s', (name) => {
  describeStore(places[name]);
});
