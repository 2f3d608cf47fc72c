/**
 * The floor of a gRPC call: a server of grpc-js with one method that answers with the same bytes, on a Unix
 * socket; and one GetAllocation of the daemon, by the same client: unary.js server SOCKET | client SOCKET
 * METHOD REQUEST CALLS. The client prints microseconds of each call as a JSON list; REQUEST is hexadecimal.
 */
import { Client, credentials, Server, ServerCredentials } from '@grpc/grpc-js';

const [role, socket = '', method = '', hex = '', calls = '0'] = process.argv.slice(2);
const same = (bytes: Buffer): Buffer => bytes;

if (role === 'server') {
  const server = new Server();
  const echo = {
    path: '/bench.Floor/Echo',
    requestStream: false,
    responseStream: false,
    requestSerialize: same,
    requestDeserialize: same,
    responseSerialize: same,
    responseDeserialize: same,
  } as const;
  server.addService(
    { echo },
    {
      echo: (call: { request: Buffer }, answer: (failure: null, bytes: Buffer) => void) =>
        answer(null, call.request),
    },
  );
  server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (failure) => {
    if (failure) throw failure;
    process.stdout.write('ready\n');
  });
  process.stdin.once('end', () => process.exit(0)).resume();
} else {
  const client = new Client(`unix:${socket}`, credentials.createInsecure());
  const request = Buffer.from(hex, 'hex');
  const call = () =>
    new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(method, same, same, request, (failure) =>
        failure ? reject(failure) : resolve(),
      );
    });
  for (let warm = 0; warm < Number(calls) / 4; warm += 1) await call();
  const latencies: number[] = [];
  for (let made = 0; made < Number(calls); made += 1) {
    const begun = performance.now();
    await call();
    latencies.push(Math.round((performance.now() - begun) * 1000));
  }
  client.close();
  process.stdout.write(`${JSON.stringify(latencies)}\n`, () => process.exit(0));
}
