/**
 * Asks the core for what the pages show: sends a request of the table for the caller of an HTTP request, and
 * decodes the answer.
 */
import {
  decode,
  encode,
  errorOf,
  REQUESTS,
  type RequestDraft,
  type ResponseOf,
  type UnaryRequest,
  VkmemError,
} from '@vkmemd/proto';
import type { CoreCalls } from '../core-calls.js';

/** The number of the connection that a request came by. */
export interface HttpCaller {
  readonly number: bigint;
}

/** A time limit, so that a driver that hangs does not prevent an operator from seeing the rest. */
export interface TimeLimit {
  readonly ms: number;
  /** What did not happen in that time, for the error. */
  readonly what: string;
}

/** @throws VkmemError the error of the core; UNAVAILABLE after the time limit. */
export type Ask = <N extends UnaryRequest>(
  caller: HttpCaller,
  name: N,
  request: RequestDraft<N>,
  limit?: TimeLimit,
) => Promise<ResponseOf<N>>;

export const makeAsk =
  (core: CoreCalls): Ask =>
  ({ number }, name, draft, limit) =>
    new Promise((resolve, reject) => {
      const { request, response } = REQUESTS[name];
      const ended = (): void => clearTimeout(timer);
      const bytes = encode(request, draft as object);
      const pending = core.call(
        number,
        name,
        bytes,
        {},
        {
          answer: (answer) => {
            ended();
            resolve(decode(response, answer) as ResponseOf<typeof name>);
          },
          failed: (status) => {
            ended();
            reject(errorOf(status));
          },
        },
      );
      const timer =
        limit &&
        setTimeout(() => {
          pending.cancel();
          reject(new VkmemError('UNAVAILABLE', `${limit.what} within ${limit.ms} ms.`));
        }, limit.ms);
    });
