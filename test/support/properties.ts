/**
 * Property tests: fast-check, seeded from VKMEMD_SEED where that is set, and saying its seed otherwise when
 * it fails.
 */
import fc from 'fast-check';

const seed = process.env.VKMEMD_SEED;
if (seed !== undefined) fc.configureGlobal({ seed: Number(seed) });

export { fc };
