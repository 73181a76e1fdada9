import { ISOLATION } from '../lib/chromium.mjs';
import { browserProject } from '../lib/project.mjs';

/** Pages served with COOP and COEP. */
export default browserProject('isolated', ISOLATION);
