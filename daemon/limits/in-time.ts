/** A time limit for answers: a driver that hangs must not prevent an operator from seeing the rest. */
import { VkmemError } from '@vkmemd/proto';

const MAX_MS = 2000;

/**
 * Resolves or rejects as the answer does. A late result or failure is ignored.
 * @param what is the start of the error text, to which the time limit is appended.
 * @throws VkmemError UNAVAILABLE if the answer takes longer than MAX_MS.
 */
export function inTime<T>(what: string, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new VkmemError('UNAVAILABLE', `${what} within ${MAX_MS} ms.`));
    }, MAX_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
