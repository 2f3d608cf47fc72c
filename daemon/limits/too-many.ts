/** The error of a request that may not wait, since as many as there may be wait or last already. */
import { VkmemError } from '@vkmemd/proto';

/** @param reason Which limit is reached, as a sentence. */
export const tooMany = (reason: string): VkmemError =>
  new VkmemError(
    'UNAVAILABLE',
    reason,
    {},
    undefined,
    'Wait until earlier ones have ended, or end some of them.',
  );
