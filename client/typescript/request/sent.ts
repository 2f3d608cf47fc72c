/**
 * Sent: requests that go to the daemon in as few messages as possible, and what became of each message.
 */
import { fitting, VkmemError } from '@vkmemd/proto';

/** Messages that have no answer yet. */
const UNDER_WAY = 2;
/** Divides the requests into those of one message each. */
function inMessages<T extends object>(requests: readonly T[]): T[][] {
  const messages: T[][] = [];
  for (let first = 0, end = 0; first < requests.length; first = end) {
    end = first + fitting(requests, first);
    messages.push(requests.slice(first, end));
  }
  return messages;
}

/** What became of the requests of one message. */
export interface Sent<R> {
  /** The number of the first of them in the list. */
  readonly first: number;
  readonly count: number;
  /** Of the message; undefined if it was not sent, because another failed before. */
  readonly result: PromiseSettledResult<R> | undefined;
}

/**
 * Sends the requests in as few messages as possible, UNDER_WAY at a time: the daemon works on one while this process
 * works on the answer to another. None is sent after one has failed.
 * @param send Sends a message, and resolves with its answer.
 * @returns In the order of the list, once all that were sent have ended.
 */
export async function sendInMessages<T extends object, R>(
  requests: readonly T[],
  send: (part: readonly T[]) => Promise<R>,
): Promise<Sent<R>[]> {
  const parts = inMessages(requests);
  const results: PromiseSettledResult<R>[] = [];
  let next = 0;
  let failed = false;
  const lane = async (): Promise<void> => {
    while (next < parts.length && !failed) {
      const at = next;
      next += 1;
      try {
        results[at] = { status: 'fulfilled', value: await send(parts[at] ?? []) };
      } catch (reason) {
        failed = true;
        results[at] = rejected(reason);
      }
    }
  };
  await Promise.all(Array.from({ length: UNDER_WAY }, lane));
  let first = 0;
  return parts.map(({ length: count }, at) => {
    const sent = { first, count, result: results[at] };
    first += count;
    return sent;
  });
}

/** Whether a message was answered. */
export const isAnswered = (sent: readonly Sent<unknown>[]): boolean =>
  sent.some(({ result }) => result?.status === 'fulfilled');

/** The failure of the first message in the list that failed, with the number of the request in the whole list. */
export function failureOf(sent: readonly Sent<unknown>[]): PromiseRejectedResult | undefined {
  for (const { first, result } of sent)
    if (result?.status === 'rejected') return rejected(numbered(result.reason, first));
  return undefined;
}

/** The outcome of each request. One whose message failed, or was not sent, has the reason for that. */
export function outcomesOf<T>(
  sent: readonly Sent<readonly PromiseSettledResult<T>[]>[],
): PromiseSettledResult<T>[] {
  const failure = failureOf(sent);
  return sent.flatMap(({ count, result = failure }) => {
    if (result?.status === 'fulfilled') return result.value;
    return Array.from({ length: count }, () => rejected(result?.reason));
  });
}

/** The outcome of a request that failed. */
export const rejected = (reason: unknown): PromiseRejectedResult => ({ status: 'rejected', reason });

/** A failure whose `index` counts from the first request of the list, `before` of which were in earlier messages. */
function numbered(failure: unknown, before: number): unknown {
  if (!(failure instanceof VkmemError) || failure.metadata.index === undefined || before === 0)
    return failure;
  const { code, reason, metadata, next, cause } = failure;
  const index = before + Number(metadata.index);
  const renumbered = reason.replace(/^Request \d+:/, `Request ${index}:`);
  return new VkmemError(code, renumbered, { ...metadata, index: String(index) }, cause, next);
}
