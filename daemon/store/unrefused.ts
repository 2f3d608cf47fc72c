/** What is there already counts, and is not refused any more: not for another limit than it was made under either. */
import { VkmemError } from '@vkmemd/proto';
import type { GiveBack } from '../limits/shares.js';

/** @param take what counts it. @returns what gives it back; nothing where it was refused. */
export function unrefused(take: () => GiveBack): GiveBack {
  try {
    return take();
  } catch (refusal) {
    if (!(refusal instanceof VkmemError)) throw refusal;
    return () => {};
  }
}
