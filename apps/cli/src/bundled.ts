import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { model, texts } from '@spikellm/demo-model';

/** Paths of what comes with the command line. */
export const BUNDLED_MODEL = dirname(fileURLToPath(model.config));
export const BUNDLED_CALIBRATION_TEXT = fileURLToPath(texts.calibration);
export const BUNDLED_EVALUATION_TEXT = fileURLToPath(texts.evaluation);
