/**
 * RDMA between two network namespaces of one kernel. Soft-RoCE of Linux 6.12 sends and receives in the initial one
 * alone: its sockets are there, and it looks for routes there (drivers/infiniband/sw/rxe/rxe_net.c). So a process
 * of another network namespace reaches memory of the daemon by a device of the initial one, which all of them see
 * while the mode of RDMA is `shared`; a device over an interface of another network namespace moves no bytes.
 */
import t, { type Test } from 'tap';
import { until } from '../support/supervised-daemon.js';
import { connectTo } from './guest.js';
import { must, run, SERVICE } from './installed.js';
import { firstOther, firstOtherOfDevice, OF_DEVICE, OF_PEER } from './pattern.js';
import { DEVICE, HOST, peer, Served, softRoce } from './rdma.js';
import { sharedDaemon } from './shared-daemon.js';

const SIZE = 64 << 20;
const SMALL = 1 << 20;

const SPACE = 'peer';
const WITHIN = ['ip', 'netns', 'exec', SPACE] as const;
/** A pair of connected interfaces, one in each network namespace. */
const OURS = { netdev: 'lab1', address: '10.78.0.1' };
const THEIRS = { netdev: 'lab2', address: '10.78.0.2' };
const THEIR_DEVICE = 'rxe_peer';
/** The UDP port of RoCE v2. */
const ROCE_PORT = 4791;

/** A second network namespace, and the pair of interfaces, which is deleted with it. */
function networkNamespace(t: Test): void {
  must('ip', 'netns', 'add', SPACE);
  t.teardown(() => must('ip', 'netns', 'delete', SPACE));
  must('ip', 'link', 'add', OURS.netdev, 'type', 'veth', 'peer', THEIRS.netdev);
  t.teardown(() => must('ip', 'link', 'delete', OURS.netdev));
  must('ip', 'link', 'set', THEIRS.netdev, 'netns', SPACE);
  must('ip', 'address', 'add', `${OURS.address}/24`, 'dev', OURS.netdev);
  must('ip', 'link', 'set', OURS.netdev, 'up');
  must(...WITHIN, 'ip', 'address', 'add', `${THEIRS.address}/24`, 'dev', THEIRS.netdev);
  must(...WITHIN, 'ip', 'link', 'set', THEIRS.netdev, 'up');
}

const LISTENERS = ['ss', '-Hlun', `sport = ${ROCE_PORT}`] as const;

/** Datagrams that came to the other network namespace, to a port on which nothing listens. */
const refused = (): number => {
  const [names = '', values = ''] = must(...WITHIN, 'cat', '/proc/net/snmp').match(/^Udp: .*$/gm) ?? [];
  return Number(values.split(' ')[names.split(' ').indexOf('NoPorts')]);
};

t.test('between two network namespaces', async (t) => {
  networkNamespace(t);
  softRoce(t);
  const { runtimeDir } = await sharedDaemon(t);
  await using client = await connectTo(runtimeDir);

  await t.test('a peer of another one reads and writes 64 MiB by the device of the first', async (t) => {
    await using memory = await client.allocate({ size: SIZE });
    using map = memory.map();
    using fd = memory.fd('MAPPABLE');
    await client.transfer({ fill: { to: memory, pattern: OF_DEVICE.first } });
    const options = ['--device', DEVICE, '--address', HOST];
    const served = new Served(t, fd, SIZE, options);
    await served.registered();
    t.notMatch(must(...WITHIN, 'ip', 'address'), HOST, 'it does not have the address of that device');
    const reach = (verb: 'read' | 'write', pattern: typeof OF_PEER) =>
      peer(verb, SIZE, pattern, OURS.address, options, WITHIN);
    const began = performance.now();
    t.match(await reach('read', OF_DEVICE), { status: 0, stderr: '' }, "it reads the device's bytes");
    t.match(await reach('write', OF_PEER), { status: 0, stderr: '' }, 'and writes its own');
    const seconds = (performance.now() - began) / 1000;
    t.comment(
      `figure: 64 MiB read and 64 MiB written from another network namespace in ${seconds.toFixed(1)} s`,
    );
    t.equal(firstOther(map.bytes, OF_PEER), undefined, "they are in this process's mapping");
    t.equal(await firstOtherOfDevice(client, memory, OF_PEER), undefined, 'the device copies them');
    t.match(await served.close(), { status: 0, stderr: '', stdout: /peer finished\npeer finished\n$/ });
  });

  await t.test('a device of the other one moves no bytes', async (t) => {
    must(...WITHIN, 'rdma', 'link', 'add', THEIR_DEVICE, 'type', 'rxe', 'netdev', THEIRS.netdev);
    t.teardown(() => must('rdma', 'link', 'delete', THEIR_DEVICE));
    const own = 'rxe_veth';
    must('rdma', 'link', 'add', own, 'type', 'rxe', 'netdev', OURS.netdev);
    t.teardown(() => must('rdma', 'link', 'delete', own));
    t.match(
      must(...WITHIN, 'rdma', 'link'),
      `link ${THEIR_DEVICE}/1 state ACTIVE`,
      'it is added, and active',
    );
    t.match(must(...LISTENERS), `:${ROCE_PORT} `, 'soft-RoCE receives in the initial network namespace');
    t.equal(must(...WITHIN, ...LISTENERS), '', 'and not in the other one');
    await using memory = await client.allocate({ size: SMALL });
    using map = memory.map();
    using fd = memory.fd('MAPPABLE');

    const served = new Served(t, fd, SMALL, ['--device', own]);
    await served.registered();
    const out = await peer('write', SMALL, OF_PEER, OURS.address, ['--device', THEIR_DEVICE], WITHIN);
    t.match(
      out,
      { status: 1, stderr: /the transfer failed: Work Request Flushed Error/ },
      'it sends nothing',
    );
    t.match(await served.close(), { status: 0, stdout: /peer gone/ });

    const before = refused();
    const theirs = new Served(t, fd, SMALL, ['--device', THEIR_DEVICE], WITHIN);
    await theirs.registered();
    const back = await peer('write', SMALL, OF_PEER, THEIRS.address, ['--device', own]);
    t.match(back, { status: 1, stderr: /the transfer failed: transport retry counter exceeded/ });
    t.ok(refused() > before, 'what it is sent arrives at a port on which nothing listens');
    t.match(await theirs.close(), { status: 0, stdout: /peer gone/ });
    t.ok(
      map.bytes.every((byte) => byte === 0),
      'the memory is as it was',
    );
    t.comment(
      'figure: soft-RoCE of Linux 6.12 moves no bytes in a network namespace other than the initial one',
    );
  });
});

/** Sets the mode of RDMA. The kernel still removes a deleted network namespace when ip(8) has ended. */
const setMode = (mode: string) =>
  until(`the mode ${mode}`, () => run('rdma', 'system', 'set', 'netns', mode).status === 0 || undefined);

t.test('the mode `exclusive` of RDMA', async (t) => {
  // It has a network namespace of its own. Its sockets start it again when it is needed.
  must('systemctl', 'stop', SERVICE);
  await t.test('is refused while there is another network namespace', async (t) => {
    networkNamespace(t);
    const { status, stderr } = run('rdma', 'system', 'set', 'netns', 'exclusive');
    t.equal(status, 1);
    t.match(stderr, 'Device or resource busy');
  });
  await t.test('gives soft-RoCE to no other network namespace', async (t) => {
    await setMode('exclusive');
    t.teardown(() => setMode('shared'));
    networkNamespace(t);
    softRoce(t);
    const { status, stderr } = run('rdma', 'dev', 'set', DEVICE, 'netns', SPACE);
    t.equal(status, 1, 'a device cannot be moved there');
    t.match(stderr, 'Operation not supported');
    must(...WITHIN, 'rdma', 'link', 'add', THEIR_DEVICE, 'type', 'rxe', 'netdev', THEIRS.netdev);
    t.teardown(() => must('rdma', 'link', 'delete', THEIR_DEVICE));
    t.equal(must(...WITHIN, 'rdma', 'link'), '', 'one that is added there is not seen there');
    t.match(must('rdma', 'link'), `link ${THEIR_DEVICE}/1`, 'but in the initial one');
  });
});
