/**
 * Passes a call to its handler and sends the answers: one request with one answer, or one request with a
 * stream of answers.
 *
 * A stream always ends with an error: its caller cancels it or disconnects, its session ends, or the daemon
 * stops. One answer of a stream is in transit at a time. The handler is asked for the next one when the last
 * has been sent, so for a peer that does not read only one is buffered here, and its next answer is the
 * current state.
 */
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  ServerUnaryCall,
  ServerWritableStream,
} from '@grpc/grpc-js';
import {
  asVkmemError,
  type ControlRequest,
  closeAll,
  type ErrorCode,
  REQUESTS,
  type StreamRequest,
  VkmemError,
} from '@vkmemd/proto';
import type { Reporter } from '../memory/reporter.js';
import type { Caller } from '../memory/session/caller.js';
import { beginRequest, type RequestEvents, reportAnswer } from '../requests/events.js';
import type { Handler, StreamHandler } from '../requests/handler.js';
import type { Callers } from './callers.js';
import { grpcFault } from './faults.js';

type StreamCall = ServerWritableStream<object, object>;

interface Collaborators {
  readonly reporter: Reporter;
  readonly requestEvents: RequestEvents;
}

export class Calls {
  readonly #reporter: Reporter;
  readonly #events: RequestEvents;
  readonly #callers: Callers;
  /** The controllers that end the open streams. */
  readonly #streams = new Set<AbortController>();
  #stopped: VkmemError | undefined;

  constructor({ reporter, requestEvents }: Collaborators, callers: Callers) {
    this.#reporter = reporter;
    this.#events = requestEvents;
    this.#callers = callers;
  }

  /** Events report the method of the request. */
  unary<N extends ControlRequest>(request: N, handler: Handler<N>): handleUnaryCall<object, object> {
    const name = REQUESTS[request].method;
    return async (call, callback) => {
      const answered = beginRequest(this.#events, 'control', name);
      let caller: Caller | undefined;
      try {
        caller = this.#begin(call, request);
        const { response, fds } = await handler(caller, call.request as never, []);
        closeAll(fds); // gRPC carries no fds
        callback(null, response as object);
        answered('OK', caller);
      } catch (failure) {
        const error = this.#expected(name, failure);
        callback(grpcFault(error));
        answered(error.code, caller);
      }
    };
  }

  /** As unary(). A stream is reported once, at its end. */
  stream<N extends StreamRequest>(
    request: N,
    handler: StreamHandler<N>,
  ): handleServerStreamingCall<object, object> {
    const name = REQUESTS[request].method;
    return async (call) => {
      const end = new AbortController();
      if (this.#stopped) end.abort(this.#stopped);
      this.#streams.add(end);
      call.once('cancelled', () => end.abort(new VkmemError('UNAVAILABLE', 'The call was cancelled.')));
      let caller: Caller | undefined;
      let code: ErrorCode | 'OK' = 'OK';
      try {
        caller = this.#begin(call, request);
        const answers = handler(caller, call.request as never, end.signal);
        for await (const answer of answers) await sent(call, answer as object, end.signal);
        call.end();
      } catch (failure) {
        // A cancelled call has no receiver. Otherwise gRPC sends the error after the answers that were
        // written.
        const error = this.#expected(name, failure);
        // A client that cancels its own stream is not an error.
        code = call.cancelled ? 'OK' : error.code;
        call.emit('error', grpcFault(error));
      } finally {
        this.#streams.delete(end);
        // No duration: a stream lasts as long as its caller wants.
        reportAnswer(this.#events, 'control', name, code, caller);
      }
    };
  }

  /** Ends every open stream with the fault, and every stream that is opened later. */
  stop(fault: VkmemError): void {
    this.#stopped = fault;
    for (const end of this.#streams) end.abort(fault);
  }

  /** @throws VkmemError if the request is a fault, or as Callers.of(). */
  #begin(call: ServerUnaryCall<object, object> | StreamCall, request: ControlRequest): Caller {
    if (call.request instanceof VkmemError) throw call.request;
    return this.#callers.of(call, request);
  }

  #expected(name: string, failure: unknown): VkmemError {
    const error = asVkmemError(failure);
    if (error.code === 'INTERNAL') this.#reporter.fault(`a ${name} call failed`, failure);
    return error;
  }
}

/**
 * Resolves when the answer has been sent. Rejects with the signal's reason as soon as the signal is aborted.
 */
function sent(call: StreamCall, answer: object, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const abandon = () => reject(signal.reason);
    signal.addEventListener('abort', abandon, { once: true });
    call.write(answer, (failure: Error | null | undefined) => {
      signal.removeEventListener('abort', abandon);
      if (failure) reject(failure);
      else resolve();
    });
  });
}
