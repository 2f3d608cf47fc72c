/**
 * How the log shows a failure. One that the catalogue has a code for, or that the kernel reports, has its text and
 * no stack: the daemon is not at fault. Any other may be a defect of the daemon, and has the stack.
 */
import { isKernelError, VkmemError } from '@vkmemd/proto';
import { pino } from 'pino';

/** Longer chains of causes are cut. */
const MAX_CAUSES = 8;

function chainOf(failure: Error): Error[] {
  const chain = [failure];
  for (let { cause } = failure; cause instanceof Error && chain.length < MAX_CAUSES; { cause } = cause) {
    chain.push(cause);
  }
  return chain;
}

const isExpected = (failure: Error): boolean =>
  failure instanceof VkmemError ? failure.code !== 'INTERNAL' : isKernelError(failure);

/** For pino's `serializers.err`. */
export function loggedError(failure: unknown): unknown {
  if (!(failure instanceof Error)) return failure;
  const chain = chainOf(failure);
  const expected = chain.find(isExpected);
  if (!expected || chain.some((each) => each instanceof VkmemError && each.code === 'INTERNAL'))
    return pino.stdSerializers.err(failure);
  const texts: string[] = [];
  for (const { message } of chain) {
    if (!texts.some((text) => text.includes(message.replace(/\.$/, '')))) texts.push(message);
  }
  return { type: failure.name, code: (expected as VkmemError).code, message: texts.join(' ') };
}
