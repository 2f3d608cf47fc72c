/**
 * The floor of a gRPC call: a server of grpc-js on a Unix socket, until its standard input ends: server.js SOCKET.
 * It prints `ready`.
 *
 * /bench.Floor/Echo    answers with the same bytes
 * /bench.Floor/Bytes   answers with as many bytes as the request says, in decimal
 */
import { Server, ServerCredentials } from '@grpc/grpc-js';

const [socket = ''] = process.argv.slice(2);
const same = (bytes: Buffer): Buffer => bytes;

type Handler = (call: { request: Buffer }, answer: (failure: null, bytes: Buffer) => void) => void;

const unary = (path: string) => ({
  path,
  requestStream: false as const,
  responseStream: false as const,
  requestSerialize: same,
  requestDeserialize: same,
  responseSerialize: same,
  responseDeserialize: same,
});

/** Made once: what is measured is the way of the bytes. */
let bytes = Buffer.alloc(0);

const echo: Handler = ({ request }, answer) => answer(null, request);
const stored: Handler = ({ request }, answer) => {
  const length = Number(request.toString());
  if (bytes.length !== length) bytes = Buffer.alloc(length, 1);
  answer(null, bytes);
};

const server = new Server();
server.addService(
  { echo: unary('/bench.Floor/Echo'), bytes: unary('/bench.Floor/Bytes') },
  { echo, bytes: stored },
);
server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (failure) => {
  if (failure) throw failure;
  process.stdout.write('ready\n');
});
process.stdin.once('end', () => process.exit(0)).resume();
