import { arc } from './arc.ts';

export const arcChallenge = arc('arc_challenge', 'ARC-Challenge');
