/** STATUS=: the summary that the manager shows, when it changes, and at most once a second. */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import type { AllocationEvent } from 'vkmemd/dist/memory/allocation/events.js';
import { Authority } from 'vkmemd/dist/memory/authority.js';
import { eventChannel } from 'vkmemd/dist/memory/event-channel.js';
import { Reload } from 'vkmemd/dist/memory/reload.js';
import type { SessionEvent } from 'vkmemd/dist/memory/session/events.js';
import type { Session } from 'vkmemd/dist/memory/session/session.js';
import { Policy } from 'vkmemd/dist/policy/policy.js';
import { StatusLine, type StatusSources, statusText } from 'vkmemd/dist/systemd/status.js';
import { until } from '../faults/support.js';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { manager } from './manager.js';

t.test("the status follows the daemon's counts", async (t) => {
  const path = join(temporaryFolder(t), 'notify');
  const { messages, close } = manager(path);
  t.teardown(close);
  const { runtimeDir } = await startDaemon(t, { env: { NOTIFY_SOCKET: path } });
  const says = (text: string) =>
    until(text, () => messages.at(-1)?.startsWith(`STATUS=${text}; device llvmpipe`) ?? false);
  const wire = await HandoffWire.open(runtimeDir);
  await says('0 allocations, 0 B, 1 session');
  const sizeBytes = 3n << 19n;
  const kinds = ['KIND_MAPPABLE'] as const;
  const { message } = await wire.ask({ allocate: { sizeBytes, kinds, name: 'status' } });
  await says('1 allocation, 1.5 MiB, 1 session');
  const id = message.allocate?.allocation?.id ?? '';
  const held = await wire.ask({ claim: { allocation: { id }, kinds } });
  const other = await HandoffWire.open(runtimeDir);
  await other.ask({ free: { allocation: { id } } });
  await says('0 allocations, 0 B, 1.5 MiB draining, 2 sessions');
  for (const fd of held.fds) fd.close();
  wire.close();
  other.close();
  await says('0 allocations, 0 B, 0 sessions');
});

/** The parts of a daemon that a status needs. */
function sourcesWith(
  sessions: { size: number },
  front: StatusSources['front'] = { away: false, onChange() {} },
  persistence: StatusSources['persistence'] = { health: { failure: undefined, onChange() {} } },
): StatusSources {
  const device = { info: { name: 'a device', heaps: [{}] } };
  const ledger = { heap: () => ({ live: 0n, draining: 0n, reserved: 0n }) };
  const allocationEvents = eventChannel<AllocationEvent>('allocation');
  const sessionEvents = eventChannel<SessionEvent>('session');
  const reload: StatusSources['reload'] = { failure: undefined, onChange() {} };
  const registry = { live: 0 };
  return { registry, sessions, ledger, device, front, reload, persistence, allocationEvents, sessionEvents };
}

t.test('the status is sent at most once a second, and only if it changed', async (t) => {
  const sessions = { size: 0 };
  const sources = sourcesWith(sessions);
  const publish = (event: SessionEvent['event']) =>
    sources.sessionEvents.publish({ event, session: {} as Session });
  const begun = performance.now();
  const sent: string[] = [];
  const status = new StatusLine(sources, (line) => sent.push(line));
  // Timers count whole milliseconds, so one may be early by up to one.
  const max = () => Math.floor((performance.now() - begun + 5) / 1000);
  while (sent.length < 2) {
    sessions.size += 1;
    publish('BEGUN');
    await setTimeout(10);
    if (sent.length > max()) throw new Error(`${sent.length} lines too early`);
  }
  sessions.size -= 1;
  publish('ENDED');
  sessions.size += 1;
  publish('BEGUN');
  await setTimeout(1100);
  t.equal(sent.at(-1), status.text, 'the last status is the current one');
  const count = sent.length;
  publish('BEGUN');
  await setTimeout(1100);
  t.equal(sent.length, count, 'no message without a change');
  status[Symbol.dispose]();
  sessions.size += 1;
  publish('BEGUN');
  await setTimeout(1100);
  t.equal(sent.length, count, 'none after the end');
});

t.test('the loss and the return of the front are sent', async (t) => {
  const front = { away: false, changed: () => {} };
  const sources = sourcesWith(
    { size: 0 },
    {
      get away() {
        return front.away;
      },
      onChange(listener) {
        front.changed = listener;
      },
    },
  );
  const sent: string[] = [];
  using _status = new StatusLine(sources, (line) => sent.push(line));
  for (const away of [true, false]) {
    front.away = away;
    front.changed();
    await setTimeout(1100);
  }
  t.match(sent, [/; the front is away$/, /; device a device$/]);
  t.equal(sent.length, 2);
});

t.test('the status says that the ledger cannot be written, and that it can again', async (t) => {
  let changed = () => {};
  const health: { failure: { error: VkmemError; at: number } | undefined; onChange(f: () => void): void } = {
    failure: undefined,
    onChange(listener) {
      changed = listener;
    },
  };
  const sent: string[] = [];
  const sources = sourcesWith({ size: 0 }, undefined, { health });
  using _status = new StatusLine(sources, (line) => sent.push(line));
  const error = new VkmemError('LEDGER_FULL', '', { errno: 'ENOSPC', folder: '/state' });
  for (const failure of [{ error, at: 1 }, undefined]) {
    health.failure = failure;
    changed();
    await setTimeout(1100);
  }
  t.match(sent, [/; the ledger cannot be written: ENOSPC in \/state$/, /; device a device$/]);
  t.equal(sent.length, 2);
});

t.test('the text of a status', async (t) => {
  const figures = {
    policyFaulty: false,
    ...{ allocations: 3, bytes: 3n << 29n, drainingBytes: 0n, sessions: 2, device: 'x' },
    frontAway: false,
    ledgerFault: undefined,
  };
  t.equal(statusText(figures), '3 allocations, 1.5 GiB, 2 sessions; device x');
  t.equal(
    statusText({ ...figures, bytes: 1023n, drainingBytes: 2n << 40n }),
    '3 allocations, 1023 B, 2 TiB draining, 2 sessions; device x',
  );
  t.equal(
    statusText({ ...figures, policyFaulty: true }),
    '3 allocations, 1.5 GiB, 2 sessions; device x; the policy is faulty, the last good one is in force',
  );
  t.equal(
    statusText({ ...figures, frontAway: true }),
    '3 allocations, 1.5 GiB, 2 sessions; device x; the front is away',
  );
  t.equal(
    statusText({ ...figures, ledgerFault: 'ENOSPC in /state' }),
    '3 allocations, 1.5 GiB, 2 sessions; device x; the ledger cannot be written: ENOSPC in /state',
  );
});

t.test('a reload that fails, and one that succeeds, are sent', async (t) => {
  let result: Error | Policy = new Error('a fault');
  const read = async () => {
    if (result instanceof Error) throw result;
    return result;
  };
  const policy = new Policy({ rules: [] });
  const reload = new Reload(new Authority(policy), read);
  const sent: string[] = [];
  using _status = new StatusLine({ ...sourcesWith({ size: 0 }), reload }, (line) => sent.push(line));
  await t.rejects(reload.run(), result);
  await setTimeout(1100);
  result = policy;
  await reload.run();
  await setTimeout(1100);
  t.match(sent, [/; the policy is faulty, /, /; device a device$/]);
  t.equal(sent.length, 2);
});
