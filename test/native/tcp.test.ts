/** Listening TCP sockets: the address, who can bind it, and connections whose peers have no identity. */
import { connect, createServer, Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Listener, listenTcp, OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const ANY = { host: '127.0.0.1', port: 0 };

/** The bytes that a server sends before it closes. */
async function received(host: string, port: number): Promise<string> {
  let text = '';
  const client = connect({ host, port });
  client.setEncoding('utf8').on('data', (data: string) => {
    text += data;
  });
  await new Promise((resolve, reject) => client.once('close', resolve).once('error', reject));
  return text;
}

/** Why IPv6 cannot be tested; false where it can. */
function noIpv6(): string | false {
  try {
    listenTcp({ host: '::1', port: 0 }).fd.close();
    return false;
  } catch (error) {
    return `no IPv6: ${(error as Error).message}`;
  }
}

t.test('a connection is accepted and served, whatever the family', async (t) => {
  const before = openFds();
  for (const host of ['127.0.0.1', ...(noIpv6() ? [] : ['::1'])]) {
    const { fd, address } = listenTcp({ host, port: 0 });
    t.equal(address.host, host);
    t.ok(address.port > 0 && address.port <= 65_535, `port ${address.port}`);
    t.ok(isCloexec(fd.fd));
    const listener = Listener.adoptTcp(fd, {
      connection(accepted) {
        t.ok(isCloexec(accepted.fd));
        new Socket({ fd: accepted.take(), writable: true }).end('served');
      },
      error: t.fail,
    });
    t.equal(await received(host, address.port), 'served');
    listener.close();
    await t.rejects(received(host, address.port), { code: 'ECONNREFUSED' }, 'closed');
  }
  await sameFds(t, before);
});

t.test('connections wait while the listener is paused', async (t) => {
  const { fd, address } = listenTcp(ANY);
  let accepted = 0;
  const listener = Listener.adoptTcp(fd, {
    connection(connection) {
      accepted++;
      connection.close();
    },
    error: t.fail,
  });
  listener.pause();
  const answer = received(address.host, address.port);
  await sleep(100);
  t.equal(accepted, 0);
  listener.resume();
  t.equal(await answer, '');
  await until(() => accepted === 1);
  listener.close();
});

t.test('an address in use, or of another host, is refused', async (t) => {
  const before = openFds();
  const { fd, address } = listenTcp(ANY);
  t.throws(() => listenTcp(address), { code: 'EADDRINUSE', syscall: 'bind' });
  fd.close();
  listenTcp(address).fd.close();
  t.throws(() => listenTcp({ host: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL', syscall: 'bind' });
  await sameFds(t, before);
});

t.test('it can be bound again while an old connection is in TIME_WAIT', async (t) => {
  const { fd, address } = listenTcp(ANY);
  const listener = Listener.adoptTcp(fd, { connection: (accepted) => accepted.close(), error: t.fail });
  t.equal(await received(address.host, address.port), '');
  listener.close();
  listenTcp(address).fd.close();
});

t.test('an IPv6 address leaves the port of IPv4 free', { skip: noIpv6() }, async (t) => {
  const { fd, address } = listenTcp({ host: '::', port: 0 });
  const server = createServer().listen({ host: '0.0.0.0', port: address.port });
  await new Promise((resolve, reject) => server.once('listening', resolve).once('error', reject));
  t.pass('both listen');
  server.close();
  fd.close();
});

t.test('a name or an impossible port is refused', async (t) => {
  for (const host of ['localhost', '', '127.0.0.1:80', '[::1]']) {
    t.throws(() => listenTcp({ host, port: 0 }), { code: 'INVALID_ARGUMENT', reason: /^host: / });
  }
  for (const port of [-1, 65_536, 1.5, Number.NaN]) {
    t.throws(() => listenTcp({ host: '127.0.0.1', port }), { code: 'INVALID_ARGUMENT', reason: /^port: / });
  }
  const [file] = [OwnedFd.duplicateOf(0, 'not a socket')];
  t.throws(() => Listener.adoptTcp(file, { connection() {}, error() {} }));
  t.equal(file.open, false);
});
