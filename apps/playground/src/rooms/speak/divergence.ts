/** How far two distributions are apart, in the steps of the legend. */

/** Where each step but the first begins, in nats. */
export const BOUNDS = [0.02, 0.1, 0.3, 1] as const;

/** 0 to 4. */
export const levelOf = (nats: number): number => BOUNDS.filter((bound) => nats >= bound).length;

export const nats = (value: number): string => `${value < 0.0005 ? '0' : value.toPrecision(2)} nats`;

export const percent = (share: number): string =>
  `${share >= 0.0995 ? Math.round(100 * share) : (100 * share).toPrecision(share < 0.00095 ? 1 : 2)} %`;

/** A token as it can be seen: the space before a word, line ends and what has no text get a sign. */
export const visible = (text: string): string =>
  text === '' ? '◌' : text.replace(/^ /, '␣').replaceAll('\n', '↵').replaceAll('\u{FFFD}', '▯');
