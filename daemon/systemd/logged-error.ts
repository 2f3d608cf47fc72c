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

/** The errnos of wrong arguments: they show a defect of this program. */
const DEFECTS = new Set(['EBADF', 'EFAULT', 'EINVAL', 'ENOTSOCK']);

function isExpected(failure: Error): boolean {
  if (failure instanceof VkmemError) return failure.code !== 'INTERNAL';
  if (isKernelError(failure)) return !DEFECTS.has(failure.code);
  // Words around a cause.
  return failure.constructor === Error && failure.cause instanceof Error;
}

/** For pino's `serializers.err`. */
export function loggedError(failure: unknown): unknown {
  if (!(failure instanceof Error)) return failure;
  const chain = chainOf(failure);
  const coded = chain.find((each) => each instanceof VkmemError || isKernelError(each));
  if (!coded || !chain.every(isExpected)) return pino.stdSerializers.err(failure);
  const texts: string[] = [];
  for (const { message } of chain) {
    if (!texts.some((text) => text.includes(message.replace(/\.$/, '')))) texts.push(message);
  }
  const { code, metadata, syscall, path } = Object.assign({}, ...chain.toReversed(), coded) as VkmemError &
    NodeJS.ErrnoException;
  return {
    type: failure.name,
    code,
    message: texts.join(' '),
    ...(metadata && Object.keys(metadata).length > 0 && { metadata }),
    ...(syscall !== undefined && { syscall }),
    ...(path !== undefined && { path }),
  };
}
