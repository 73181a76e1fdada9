/** What the two models say to a prompt, as it crosses from the worker to the page. */
import type { SamplingOptions } from '@spikellm/graph';

export const SIDES = ['float', 'spiking'] as const;
/** The model that is there, or that has spoken. */
export type Side = (typeof SIDES)[number];

export interface SpeakRequest {
  readonly prompt: string;
  /** Of each model. */
  readonly maxTokens: number;
  /** Each model draws with a sampler of its own; both have these options. */
  readonly sampling: SamplingOptions;
}

/** A token that a model could have gone on with. */
export interface Candidate {
  readonly id: number;
  /** '' for a token without text, such as the end of the text. */
  readonly text: string;
  /** 0 to 1. */
  readonly probability: number;
}

/** What one model expected after the tokens before. */
export interface Expectation {
  /** Of the token that came, 0 to 1. */
  readonly probability: number;
  /** The five likeliest tokens, or fewer where the vocabulary is smaller. */
  readonly likeliest: readonly Candidate[];
}

/** A token that one of the models drew, and what both expected there. */
export interface SpokenToken {
  readonly id: number;
  /** '' while the bytes of a character are incomplete. */
  readonly text: string;
  /** KL(float || spiking) of the two distributions, in nats. */
  readonly divergence: number;
  readonly expected: Readonly<Record<Side, Expectation>>;
}

/** Why a text ended: a token that says so, as many tokens as were asked for, a full context, or the reader. */
export type Ending = 'end' | 'length' | 'context' | 'stopped';

export interface SpokenText {
  readonly tokens: readonly SpokenToken[];
  /** From the first token to the last. */
  readonly seconds: number;
  readonly ending: Ending;
}

export interface Reply {
  readonly promptIds: readonly number[];
  readonly texts: Readonly<Record<Side, SpokenText>>;
}

/** Some tokens of a text, told while it is spoken. */
export interface Spoken {
  readonly side: Side;
  /** Tokens of the text before these. */
  readonly from: number;
  readonly tokens: readonly SpokenToken[];
  /** Since the first token. */
  readonly seconds: number;
}
