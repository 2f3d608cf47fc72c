/**
 * A fake daemon, for behaviour that the real one does not have: it sends Welcome, and answers every other
 * request by a script.
 */
import { join } from 'node:path';
import {
  Connection,
  closeAll,
  type Decoded,
  type Draft,
  decode,
  encode,
  HANDOFF_SOCKET,
  Listener,
  type OwnedFd,
  PROTOCOL_VERSION,
} from '@vkmemd/proto';
import type { Test } from 'tap';
import { temporaryFolder } from '../support/daemon.js';

/**
 * What it sends for a request: messages with their fds, or raw bytes; nothing for an empty list. The fds that
 * came with the request are closed afterwards, unless the script has taken them.
 */
export type Script = (request: Decoded<'ClientMessage'>, fds: readonly OwnedFd[]) => readonly Reply[];
export interface Reply {
  readonly message: Draft<'ServerMessage'> | Buffer;
  readonly fds?: OwnedFd[];
}

export const ALLOCATION = {
  id: 'fake',
  sizeBytes: 4096n,
  kinds: ['KIND_MAPPABLE'],
  lifetime: 'LIFETIME_SESSION',
} as const;
export const GRANT = {
  id: 1n,
  allocationId: 'fake',
  kind: 'KIND_MAPPABLE',
  access: 'ACCESS_READ_WRITE',
  fdCount: 1,
  mapSizeBytes: 4096n,
} as const;

/** The Welcome that a daemon of this version sends. */
export const greet: Script = ({ sequence }) => [
  {
    message: {
      sequence,
      welcome: {
        protocolVersion: PROTOCOL_VERSION,
        incarnation: 'fake',
        sessionToken: 'fake',
        sessionId: 1n,
      },
    },
  },
];

/** Listens until the test ends. */
export function startFakeDaemon(t: Test, script: Script, greeting: Script = greet) {
  const runtimeDir = temporaryFolder(t);
  const open = new Set<Connection>();
  const accept = (fd: OwnedFd) => {
    const handlers = {
      message: (data: Buffer, received: OwnedFd[]) => {
        const request = decode('ClientMessage', data);
        for (const { message, fds } of (request.hello ? greeting : script)(request, received)) {
          connection.send(Buffer.isBuffer(message) ? message : encode('ServerMessage', message), fds);
        }
        closeAll(received);
      },
      close: () => open.delete(connection),
    };
    const connection: Connection = new Connection(fd, handlers, { maxFds: 1 });
    open.add(connection);
  };
  const listener = Listener.listen(
    { type: 'seqpacket', path: join(runtimeDir, HANDOFF_SOCKET) },
    {
      connection: (fd, { pidfd }) => {
        pidfd?.close();
        accept(fd);
      },
      error: (error) => t.fail(error),
    },
  );
  t.teardown(() => {
    listener.close();
    for (const connection of open) connection.close();
  });
  return {
    runtimeDir,
    /** Closes all connections; continues to listen. */
    hangUp: () => {
      for (const connection of open) connection.close();
    },
  };
}
