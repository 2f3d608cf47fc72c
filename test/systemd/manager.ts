/// <reference path="../../daemon/systemd/unix-dgram.d.ts" />
/** A service manager's socket: collects the messages. */
import unixDgram from 'unix-dgram';

export function manager(path: string): { messages: string[]; close(): void } {
  const messages: string[] = [];
  const socket = unixDgram.createSocket('unix_dgram', (message) => messages.push(message.toString()));
  socket.bind(path);
  return { messages, close: () => socket.close() };
}
