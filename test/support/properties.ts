/**
 * Property tests with fast-check. The seed is VKMEMD_SEED where that is set; otherwise it is random, and a
 * failure prints it.
 */
import fc from 'fast-check';

const seed = process.env.VKMEMD_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

export { fc };
