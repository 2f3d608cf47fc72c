/**
 * An answer that may not come: a driver that hangs must not prevent an operator from seeing the rest.
 */
import { VkmemError } from '@vkmemd/proto';

const MAX_MS = 2000;

/**
 * Resolves or rejects as the answer does. What comes too late is nobody's any more, its failure too.
 * @throws VkmemError UNAVAILABLE where it does not come within MAX_MS.
 */
export function inTime<T>(what: string, answer: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new VkmemError('UNAVAILABLE', `${what} within ${MAX_MS} ms.`));
    }, MAX_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
