/**
 * What tests of datagrams need: a receiver that remembers, and fds to send.
 */
import { openSync } from 'node:fs';
import { DatagramReceiver, OwnedFd, type ReceivedDatagram } from '@vkmemd/proto';

/** A receiver that keeps what it receives. */
export function collect(address: string, maxBytes?: number) {
  const received: ReceivedDatagram[] = [];
  const error = (failure: Error) => {
    throw failure;
  };
  const receiver = DatagramReceiver.bind(
    address,
    { message: (datagram) => received.push(datagram), error },
    maxBytes === undefined ? {} : { maxBytes },
  );
  return { received, receiver };
}

/** So many fds of a file; each opens it anew. */
export const some = (count: number) =>
  Array.from({ length: count }, () => new OwnedFd(openSync('/dev/null', 'r'), 'test'));
