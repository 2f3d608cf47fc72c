/**
 * Events of one daemon, for any part of the process that subscribes: a watcher's stream, the metrics.
 *
 * A channel is one of node:diagnostics_channel without a public name, so that each daemon of the process has
 * its own. An event is published in the turn of the event loop in which it happened; a listener must be
 * quick. One that throws fails the process as an uncaught exception, never the request that published. Ask
 * `hasSubscribers` before an event is made.
 */
import { channel } from 'node:diagnostics_channel';

export interface EventChannel<E> {
  /** Whether anybody listens. */
  readonly hasSubscribers: boolean;
  publish(event: E): void;
  subscribe(listener: (event: E) => void): void;
  unsubscribe(listener: (event: E) => void): boolean;
}

/** @param what is published, for debuggers. */
export const eventChannel = <E>(what: string): EventChannel<E> =>
  channel(Symbol(`vkmemd:${what}`)) as unknown as EventChannel<E>;

/** Calls the listener, a function of its own, with every event until the result is disposed. */
export function onEvent<E>(events: EventChannel<E>, listener: (event: E) => void): Disposable {
  events.subscribe(listener);
  return { [Symbol.dispose]: () => void events.unsubscribe(listener) };
}
