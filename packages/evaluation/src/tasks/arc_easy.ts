import { arc } from './arc.ts';

export const arcEasy = arc('arc_easy', 'ARC-Easy');
