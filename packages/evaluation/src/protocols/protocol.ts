import { SpikeError } from '@spikellm/backend';

/** A text as a protocol has read it. */
export interface ProtocolText {
  readonly text: string;
  /** What it was joined of. */
  readonly parts: number;
}

/** How a file becomes the text that perplexity is measured on. Figures of two protocols are not comparable. */
export interface Protocol {
  readonly name: string;
  /** How the file is read and joined, in words. */
  readonly description: string;
  /** What `parts` counts. */
  readonly unit: string;
  /** Windows at most where nobody says; all of them without it. */
  readonly maxWindows?: number;
  /**
   * The text of a file's content. Errors: INVALID_ARGUMENT for a file of another kind.
   * @param where - what names the file, for errors
   */
  read(content: string, where: string): ProtocolText;
}

export const wrongFile = (where: string, expected: string, received: string): SpikeError =>
  new SpikeError('INVALID_ARGUMENT', {
    where,
    expected,
    received,
    remedy: 'take another file, or another --protocol',
  });
