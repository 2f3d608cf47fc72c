/**
 * Credit for fds: what may begin, what waits, and in which order; on a client whose reading the test decides.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { FdCredit } from 'vkmemd/dist/handoff/credit.js';
import { InFlightFdsPool } from 'vkmemd/dist/limits/in-flight-fds.js';

/** A client that has received nothing of what is sent to it, until the test says so. */
class Client {
  unreadFds = 0;
  crowded = false;
  eased = 0;
  readonly pool = new InFlightFdsPool(64);
  readonly credit: FdCredit;

  constructor(max: number) {
    const flight = this.pool.join(1);
    if (!flight) throw new Error('no room');
    this.credit = new FdCredit(this, flight, max, () => {
      this.eased += 1;
    });
  }

  /** The answer leaves. */
  send(fds: number): void {
    this.unreadFds += fds;
    this.credit.settle(fds);
  }
}

t.test('what has no credit waits, in its order, until everything is read', async (t) => {
  const client = new Client(8);
  const { credit } = client;
  t.equal(credit.take(4), undefined);
  t.equal(credit.take(4), undefined);
  client.send(4);
  const begun: string[] = [];
  const third = credit.take(3)?.then(() => begun.push('third'));
  const fourth = credit.take(1)?.then(() => begun.push('fourth'));
  t.equal(credit.take(0), undefined, 'what needs none does not wait');
  client.send(4);
  await sleep(20);
  t.strictSame(begun, []);
  t.equal(credit.waiting, 2);
  client.unreadFds = 0;
  await Promise.all([third, fourth]);
  t.strictSame(begun, ['third', 'fourth']);
  client.send(3);
  client.send(1);
  client.unreadFds = 0;
  await sleep(300);
  t.equal(client.pool.promised, 4, 'what it had from the others is given back when it has read');
});

t.test('less than one answer can carry', async (t) => {
  const client = new Client(1);
  const { credit } = client;
  t.equal(credit.take(4), undefined, 'an answer with more begins where nothing else is on its way');
  client.send(4);
  const waits = credit.take(1);
  t.ok(waits);
  client.unreadFds = 0;
  await waits;
  t.ok(credit.take(1), 'and one of them at a time');
  client.send(1);
  await sleep(20);
  t.equal(credit.waiting, 1);
  client.unreadFds = 0;
  await sleep(300);
  t.equal(credit.waiting, 0);
  client.send(1);
  credit.close(new VkmemError('UNAVAILABLE', 'over'));
});

t.test('with much unread nothing begins that could find no room', async (t) => {
  const client = new Client(16);
  const { credit } = client;
  t.equal(credit.take(1), undefined);
  client.crowded = true;
  t.equal(credit.tight, true);
  const waits = credit.take(1);
  t.ok(waits);
  client.send(1);
  t.equal(credit.tight, false, 'with no answer of fds under way the others may crowd');
  client.crowded = false;
  await waits;
  t.ok(client.eased > 0);
  client.send(1);
});

t.test('it ends', async (t) => {
  const client = new Client(4);
  const { credit } = client;
  t.equal(credit.take(4), undefined);
  const waits = credit.take(1);
  const reason = new VkmemError('UNAVAILABLE', 'over');
  credit.close(reason);
  await t.rejects(waits ?? Promise.resolve(), { code: 'UNAVAILABLE' });
  await t.rejects(credit.take(1) ?? Promise.resolve(), { code: 'UNAVAILABLE' });
  credit.settle(4);
  t.equal(credit.waiting, 0);
});
