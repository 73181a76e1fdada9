import { SpikeError } from '@spikellm/backend';

const SIZE = 624;

/**
 * The Mersenne Twister MT19937 seeded as Python's `random.seed(n)` does, so that published calibration samples and
 * ours are the same. Matsumoto and Nishimura, 1998.
 */
export interface Random {
  /** A whole number of 32 bits. */
  uint32(): number;
  /** A number in [0, 1) of 53 bits, Python's `random()`. */
  real(): number;
  /** A whole number from `low` to `high`, both included, Python's `randint`. Errors: INVALID_ARGUMENT for none. */
  integer(low: number, high: number): number;
}

/** @param seed - a whole number from 0 to 2^32 - 1 */
export function createRandom(seed: number): Random {
  const state = initialState(seed);
  let index = SIZE;

  function refill(): void {
    for (let i = 0; i < SIZE; i++) {
      const mixed = (state[i] & 0x80000000) | (state[(i + 1) % SIZE] & 0x7fffffff);
      state[i] = state[(i + 397) % SIZE] ^ (mixed >>> 1) ^ (mixed & 1 ? 0x9908b0df : 0);
    }
    index = 0;
  }

  const uint32 = (): number => {
    if (index === SIZE) refill();
    let y = state[index++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return (y ^ (y >>> 18)) >>> 0;
  };

  return {
    uint32,
    real() {
      const high = uint32() >>> 5;
      return (high * 2 ** 26 + (uint32() >>> 6)) / 2 ** 53;
    },
    integer(low, high) {
      const count = high - low + 1;
      if (!(count >= 1 && count < 2 ** 32)) {
        throw new SpikeError('INVALID_ARGUMENT', {
          where: 'random',
          expected: 'a range of 1 to 2^32 - 1 whole numbers',
          received: `${low} to ${high}`,
        });
      }
      const shift = Math.clz32(count);
      let drawn: number;
      do drawn = uint32() >>> shift;
      while (drawn >= count);
      return low + drawn;
    },
  };
}

/** MT19937's init_by_array with the one key `seed`. */
function initialState(seed: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  state[0] = 19650218;
  for (let i = 1; i < SIZE; i++) state[i] = Math.imul(1812433253, state[i - 1] ^ (state[i - 1] >>> 30)) + i;
  const mix = (i: number, factor: number): number =>
    state[i] ^ Math.imul(state[i - 1] ^ (state[i - 1] >>> 30), factor);
  let i = 1;
  const advance = (): void => {
    i += 1;
    if (i === SIZE) {
      state[0] = state[SIZE - 1];
      i = 1;
    }
  };
  for (let k = 0; k < SIZE; k++) {
    state[i] = mix(i, 1664525) + seed;
    advance();
  }
  for (let k = 0; k < SIZE - 1; k++) {
    state[i] = mix(i, 1566083941) - i;
    advance();
  }
  state[0] = 0x80000000;
  return state;
}
