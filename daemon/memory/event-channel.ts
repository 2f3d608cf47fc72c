/**
 * Events of one daemon, for any part of the process that subscribes: a watcher's stream, the metrics.
 *
 * A channel is one of node:diagnostics_channel without a public name, so that each daemon in a process has
 * its own. An event is published in the turn of the event loop in which it happened. A listener must be
 * quick. A listener that throws fails the process as an uncaught exception, and never the request that
 * published. Check `hasSubscribers` before making an event.
 */
import { channel } from 'node:diagnostics_channel';

export interface EventChannel<E> {
  /** Whether there is any subscriber. */
  readonly hasSubscribers: boolean;
  publish(event: E): void;
  subscribe(listener: (event: E) => void): void;
  unsubscribe(listener: (event: E) => void): boolean;
}

/** @param what names the events in a debugger. */
export const eventChannel = <E>(what: string): EventChannel<E> =>
  channel(Symbol(`vkmemd:${what}`)) as unknown as EventChannel<E>;

/**
 * Calls the listener with every event until the result is disposed. Pass a new function in each call: a
 * subscription is identified by its listener.
 */
export function onEvent<E>(events: EventChannel<E>, listener: (event: E) => void): Disposable {
  events.subscribe(listener);
  return { [Symbol.dispose]: () => void events.unsubscribe(listener) };
}
