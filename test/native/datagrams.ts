/** Shared by tests of datagrams: a receiver that records, and fds to send. */
import { openSync } from 'node:fs';
import { DatagramReceiver, OwnedFd, type ReceivedDatagram } from '@vkmemd/proto';

/** A receiver that keeps its datagrams. */
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

/** This many fds of a file; each call opens it again. */
export const some = (count: number) =>
  Array.from({ length: count }, () => new OwnedFd(openSync('/dev/null', 'r'), 'test'));
