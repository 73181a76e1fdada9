import { browserProject } from '../lib/project.mjs';

/** Pages served without COOP and COEP. */
export default browserProject('plain', {});
