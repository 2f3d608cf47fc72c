/**
 * The control socket without a gRPC library: plain HTTP/2, for a client that does not read, or that ends
 * without closing its streams.
 */
import { type ClientHttp2Session, type ClientHttp2Stream, connect as connectHttp2 } from 'node:http2';
import { connect } from 'node:net';
import { join } from 'node:path';
import { CONTROL_SOCKET, serviceDefinition } from '@vkmemd/proto';

/** @param window the bytes of a stream that may be sent unread; a message about one heap has about 60. */
export function rawSession(runtimeDir: string, window: number): ClientHttp2Session {
  return connectHttp2('http://localhost', {
    createConnection: () => connect(join(runtimeDir, CONTROL_SOCKET)),
    settings: { initialWindowSize: window },
  });
}

/** A WatchBudget call with an empty request. */
export const rawWatch = (session: ClientHttp2Session): ClientHttp2Stream =>
  rawCall(session, serviceDefinition('DeviceService').WatchBudget?.path);

/** A call with an empty request. */
export function rawCall(session: ClientHttp2Session, path: string | undefined): ClientHttp2Stream {
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers);
  stream.end(Buffer.alloc(5));
  return stream;
}

/** A message as gRPC sends it: preceded by a byte and its length. @param compressed that byte. */
export function framed(message: Uint8Array, compressed = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** The messages of a gRPC stream: each is preceded by one byte and its length. */
export function messagesIn(bytes: Buffer): object[] {
  const { responseDeserialize: read } = serviceDefinition('DeviceService').WatchBudget ?? {};
  const messages: object[] = [];
  for (let rest = bytes; read && rest.length >= 5; ) {
    const end = 5 + rest.readUInt32BE(1);
    messages.push(read(rest.subarray(5, end)));
    rest = rest.subarray(end);
  }
  return messages;
}
