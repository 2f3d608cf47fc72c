/**
 * What a client reports where no daemon answers: what is at the path of the socket, and what to do, in the same words
 * on the handoff and the control socket, in the library and in vkmemctl. No text of gRPC's library is among them.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer as createHttp1 } from 'node:http';
import { createServer as createHttp2 } from 'node:http2';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { Metadata, Server, ServerCredentials } from '@grpc/grpc-js';
import { connect, connectControl } from '@vkmemd/client';
import {
  CONTROL_SOCKET,
  Connection,
  HANDOFF_SOCKET,
  Listener,
  listenAt,
  STATUS_METADATA,
  serviceDefinition,
} from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { setpriv } from '../support/as-user.js';
import { plainEnvironment, plainNode, root, temporaryFolder } from '../support/daemon.js';
import { runProgram } from '../support/program.js';
import { noOtherUser, OTHER_UID } from '../support/uid.js';

const VKMEMCTL = join(root, 'client/typescript/bin/vkmemctl.js');
const TIMEOUT_MS = 1000;
/** What no user understands: gRPC's texts, and steps that do not help here. */
const FOREIGN =
  /No connection established|Last error|UNAVAILABLE: \d|Resolution note|LB pick|Deadline exceeded|Received |--help|restarted/;

interface Plane {
  readonly socket: string;
  readonly type: 'seqpacket' | 'stream';
  /** Of vkmemctl. */
  readonly command: readonly string[];
  readonly attempt: (path: string) => Promise<unknown>;
}

const PLANES: readonly Plane[] = [
  {
    socket: HANDOFF_SOCKET,
    type: 'seqpacket',
    command: ['exec', '--', 'true'],
    attempt: (handoffSocket) => connect({ handoffSocket, timeoutMs: TIMEOUT_MS }),
  },
  {
    socket: CONTROL_SOCKET,
    type: 'stream',
    command: ['budget'],
    attempt: async (controlSocket) => {
      await using control = connectControl({ controlSocket, timeoutMs: TIMEOUT_MS });
      return await control.budget();
    },
  },
];

const failureOf = ({ attempt }: Plane, path: string) =>
  attempt(path).then(
    () => {
      throw new Error('it was served');
    },
    (failure) => failure,
  );

const vkmemctl = ({ command }: Plane, folder: string) =>
  runProgram(VKMEMCTL, ['--runtime-dir', folder, ...command]);

for (const plane of PLANES) {
  const { socket, type } = plane;
  t.test(`what is at the path of ${socket}`, async (t) => {
    const folder = temporaryFolder(t);
    const at = (name: string) => join(folder, name, socket);
    for (const name of ['empty', 'file', 'folder', 'dead', 'link', 'other']) mkdirSync(join(folder, name));
    writeFileSync(at('file'), '');
    mkdirSync(at('folder'));
    symlinkSync(`/nonexistent/${socket}`, at('link'));
    listenAt({ type, path: at('dead') }).close();
    const other = listenAt({ type: type === 'stream' ? 'seqpacket' : 'stream', path: at('other') });
    t.teardown(() => other.close());
    writeFileSync(join(folder, 'afile'), '');
    symlinkSync('loop', join(folder, 'loop'));
    const cases: [string, string, string, RegExp][] = [
      [
        'typo',
        'UNAVAILABLE',
        'ENOENT',
        /The folder \S+\/typo does not exist\. Check the path, or start vkmemd/,
      ],
      ['typo/deeper', 'UNAVAILABLE', 'ENOENT', /The folder \S+\/typo does not exist\./],
      ['afile', 'UNAVAILABLE', 'ENOTDIR', /\/afile is not a folder\./],
      ['loop', 'UNAVAILABLE', 'ELOOP', /\/loop is a link .* or to itself\./],
      ['empty', 'UNAVAILABLE', 'ENOENT', /\/empty has no such socket\./],
      ['file', 'UNAVAILABLE', 'ECONNREFUSED', /is a regular file, not a socket\./],
      ['folder', 'UNAVAILABLE', 'ECONNREFUSED', /is a folder, not a socket\./],
      ['link', 'UNAVAILABLE', 'ENOENT', /is a link to a file that does not exist/],
      ['dead', 'UNAVAILABLE', 'ECONNREFUSED', /No process listens on .* has ended\. Start vkmemd again/],
      ['other', 'INVALID_ARGUMENT', 'EPROTOTYPE', /is a socket of another type: .* Check the path/],
    ];
    for (const [name, code, errno, message] of cases) {
      const failure = await failureOf(plane, at(name));
      t.match(failure, { name: 'VkmemError', code, message, metadata: { errno, syscall: 'connect' } }, name);
      t.ok(failure.message.includes(`${at(name)}: connect: ${errno} (`), failure.message);
      t.notMatch(failure.message, FOREIGN, 'nothing of gRPC, nothing beside the point');
      const ended = await vkmemctl(plane, join(folder, name));
      t.match(ended, { code: code === 'UNAVAILABLE' ? 69 : 1, stderr: message }, `vkmemctl: ${name}`);
      t.notMatch(ended.stderr, /\n\s+at /, 'without a stack');
    }
  });

  t.test(`${socket}, mounted, has no process any more`, { skip: process.getuid?.() !== 0 }, async (t) => {
    const folder = temporaryFolder(t);
    for (const name of ['from', 'to']) mkdirSync(join(folder, name));
    listenAt({ type, path: join(folder, 'from', socket) }).close();
    writeFileSync(join(folder, 'to', socket), '');
    const script = 'mount --bind "from/$1" "to/$1"; shift; exec "$0" --runtime-dir to "$@"';
    const ended = spawnSync('unshare', ['-m', 'bash', '-c', script, VKMEMCTL, socket, ...plane.command], {
      cwd: folder,
      encoding: 'utf8',
    });
    t.match(ended, {
      status: 69,
      stderr: /mounted at \S+ has been replaced.*Mount the folder of the socket/,
    });
  });

  t.test(
    `${socket} of a group, or in a folder, that others may not use`,
    { skip: noOtherUser ?? false },
    async (t) => {
      const folder = temporaryFolder(t);
      const listening = listenAt({ type, path: join(folder, socket), mode: 0o660 });
      t.teardown(() => listening.close());
      const ended = () => {
        const [node, args] = plainNode([VKMEMCTL, '--runtime-dir', folder, ...plane.command]);
        const [program = '', ...user] = setpriv({ uid: OTHER_UID, gid: OTHER_UID, groups: [] });
        return spawnSync(program, [...user, node, ...args], { env: plainEnvironment(), encoding: 'utf8' });
      };
      chmodSync(folder, 0o755);
      t.match(ended(), {
        status: 1,
        stderr:
          /NOT_PERMITTED: .*: connect: EACCES \(13\), permission denied\. .* user and group alone\. Ask the operator/,
      });
      chmodSync(folder, 0o700);
      t.match(ended(), {
        status: 1,
        stderr:
          /NOT_PERMITTED: .*: connect: EACCES .* cannot be entered\. Ask the operator for a runtime folder/,
      });
    },
  );
}

/** Listens with each of these, and closes them when the test ends. */
async function listening(
  t: Test,
  servers: Record<string, (path: string) => { close(): void }>,
  socket: string,
) {
  const folder = temporaryFolder(t);
  for (const [name, listen] of Object.entries(servers)) {
    mkdirSync(join(folder, name));
    const server = listen(join(folder, name, socket));
    t.teardown(() => server.close());
  }
  return (name: string) => join(folder, name, socket);
}

const [HANDOFF, CONTROL] = PLANES as [Plane, Plane];

t.test('another service on the handoff socket', async (t) => {
  const seqpacket = (serve: (send: (text: string) => void, close: () => void) => void) => (path: string) =>
    Listener.listen(
      { type: 'seqpacket', path },
      {
        error: () => {},
        connection: (fd, { pidfd }) => {
          pidfd?.close();
          const connection = new Connection(fd, { message: () => {}, close: () => {} });
          serve(
            (text) => connection.send(Buffer.from(text)),
            () => connection.close(),
          );
        },
      },
    );
  const at = await listening(
    t,
    {
      talks: seqpacket((send) => send('SSH-2.0-other\r\n')),
      closes: seqpacket((_send, close) => close()),
      silent: seqpacket(() => {}),
    },
    HANDOFF_SOCKET,
  );
  const cases: [string, string, string][] = [
    ['talks', 'PROTOCOL_ERROR', ': what it sent is not a message of vkmemd: another service listens there.'],
    ['closes', 'UNAVAILABLE', ': the daemon closed the connection.'],
    ['silent', 'UNAVAILABLE', `: the daemon did not answer Hello within ${TIMEOUT_MS} ms.`],
  ];
  for (const [name, code, what] of cases)
    t.match(await failureOf(HANDOFF, at(name)), { code, reason: at(name) + what }, name);
});

t.test('another service on the control socket', async (t) => {
  const talking = (text: string | undefined) => (path: string) =>
    createServer((socket) => {
      socket.on('error', () => {});
      if (text === undefined) socket.destroy();
      else if (text) socket.write(text);
      t.teardown(() => socket.destroy());
    }).listen(path);
  const grpc = (details?: Buffer) => (path: string) => {
    const server = new Server();
    const { GetBudget, ...rest } = serviceDefinition('DeviceService');
    if (details && GetBudget) {
      server.addService({ GetBudget }, {
        GetBudget: (_call: unknown, callback: (failure: object) => void) => {
          const metadata = new Metadata();
          metadata.set(STATUS_METADATA, details);
          callback({ code: 7, details: 'no', metadata });
        },
      } as never);
    } else server.addService(rest as never, {});
    server.bindAsync(`unix:${path}`, ServerCredentials.createInsecure(), () => {});
    return { close: () => server.forceShutdown() };
  };
  const at = await listening(
    t,
    {
      talks: talking('SSH-2.0-other\r\n'),
      closes: talking(undefined),
      silent: talking(''),
      http1: (path) => createHttp1((_request, response) => response.end('a page')).listen(path),
      http2: (path) =>
        createHttp2((_request, response) => {
          response.writeHead(404, { 'content-type': 'text/html' });
          response.end('no such page');
        }).listen(path),
      grpc: grpc(),
      details: grpc(Buffer.from('not a Status')),
    },
    CONTROL_SOCKET,
  );
  const cases: [string, string, string][] = [
    ['talks', 'PROTOCOL_ERROR', ': what it sent is not HTTP/2: another service listens there.'],
    ['closes', 'UNAVAILABLE', ': the connection was closed before the call was sent.'],
    ['silent', 'UNAVAILABLE', `: the daemon did not answer within ${TIMEOUT_MS} ms.`],
    ['http1', 'PROTOCOL_ERROR', ': what it sent is not HTTP/2: another service listens there.'],
    [
      'http2',
      'PROTOCOL_ERROR',
      ': it answered with the HTTP status 404, not as gRPC does: another service listens there.',
    ],
    [
      'grpc',
      'PROTOCOL_ERROR',
      ': it is a gRPC server without the services of vkmemd: another service listens there.',
    ],
    [
      'details',
      'PROTOCOL_ERROR',
      ': the details of its answer are not a google.rpc.Status: another service listens there.',
    ],
  ];
  for (const [name, code, what] of cases) {
    const failure = await failureOf(CONTROL, at(name));
    t.match(failure, { code, reason: at(name) + what }, name);
    t.notMatch(failure.message, FOREIGN, failure.message);
  }
});

t.test('an inherited fd that the parent has closed', async (t) => {
  const failure = await connect({ sessionFd: 987 }).catch((error) => error);
  t.match(failure, { code: 'INVALID_ARGUMENT', message: /EBADF.*has closed it.*pass_fds/ });
});

t.test('a client that was closed', async (t) => {
  const folder = temporaryFolder(t);
  const server = createServer((socket) => socket.on('error', () => {})).listen(join(folder, CONTROL_SOCKET));
  t.teardown(() => server.close());
  const control = connectControl({ runtimeDir: folder });
  const failing = control.budget().catch((failure) => failure);
  await new Promise((resolve) => server.once('connection', resolve));
  await control.close();
  t.match(await failing, { code: 'UNAVAILABLE', reason: 'The client was closed.', next: /Connect again/ });
});
