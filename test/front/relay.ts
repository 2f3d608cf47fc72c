/**
 * A front behind a relay: a process of its own whose datagrams pass through the test, which can add others,
 * as a front that was taken over would send them.
 */

import { openSync } from 'node:fs';
import { Connection, decode, encode, OwnedFd, seqpacketPair } from '@vkmemd/proto';
import { spawnFront } from 'vkmemd/dist/callers/front-process.js';
import type { FrontInstance } from 'vkmemd/dist/link/front-instance.js';

const LIMITS = { maxFds: 1, maxQueuedMessages: 16_384, maxQueuedBytes: 64 << 20 };

export class Relay {
  #toCore: Connection | undefined;
  /** The number of answers that the core has sent. */
  answers = 0;

  /** A StartFront. */
  readonly start = (link: OwnedFd, maxBytes: number): FrontInstance => {
    const [mine, its] = seqpacketPair();
    const toCore = new Connection(
      link,
      {
        message: (data, fds) => {
          if (decode('ToFront', data).answer) this.answers += 1;
          toFront.send(data, fds);
        },
        close: () => toFront.close(),
      },
      LIMITS,
    );
    const toFront: Connection = new Connection(
      mine,
      { message: (data, fds) => void toCore.send(data, fds), close: () => toCore.close() },
      LIMITS,
    );
    this.#toCore = toCore;
    return spawnFront(its, maxBytes);
  };

  /** Sends a datagram to the core as if the front had. */
  send(data: Uint8Array, fds: OwnedFd[] = []): void {
    this.#toCore?.send(data, fds);
  }
}

/** A file that an fd refers to; the caller owns it. */
export const someFd = (): OwnedFd => new OwnedFd(openSync('/dev/null', 'r'), 'a test');

/** Datagrams that the core must not accept: name -> sends it. */
export const CRAFTED: Readonly<Record<string, (relay: Pick<Relay, 'send'>) => void>> = {
  'bytes that are no message': (relay) => relay.send(Buffer.from([0xff, 0xff, 0xff, 0xff])),
  'a message without a body': (relay) => relay.send(encode('ToCore', { id: 1n })),
  'a message with an fd': (relay) => relay.send(encode('ToCore', { pong: {} }), [someFd()]),
};
