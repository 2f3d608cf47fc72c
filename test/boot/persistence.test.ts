/**
 * Workers continue while the daemon is restarted, killed, aborted, stopped, or replaced by a newer build,
 * under the units as installed: no byte is lost or wrong, no session ends, and the workers' records equal the
 * daemon's state.
 */
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { NOTHING } from '../support/daemon.js';
import { Booted, monotonic, SERVICE } from './booted.js';
import { Crew } from './crew.js';
import { figure } from './figures.js';
import { programIn } from './given.js';
import { unbootable } from './namespaces.js';
import { TREE } from './places.js';

/** One sandboxed, the others not. */
const WORKERS = 4;
const NEXT = '/opt/next';

t.setTimeout(300_000);
t.test(
  'workers keep their memory and sessions over every kind of restart',
  { skip: unbootable(), timeout: 300_000 },
  async (t) => {
    const booted = await Booted.start(t, 'WatchdogSec=3s\n');
    const crew = await Crew.start(t, booted, WORKERS);
    await crew.audit(t, 'at first');
    crew.work();

    /** Ends the daemon with `end`, and waits until the next one is ready and every worker works again. */
    const survives = async (t: Test, what: string, end: () => Promise<number> | number) => {
      const { InvocationID: before } = await booted.show(SERVICE, 'InvocationID');
      await new Promise((resolve) => setTimeout(resolve, 500));
      const at = await end();
      const ready = await booted.ready(before);
      const reports = await crew.audit(t, what);
      const absences = reports.flatMap(({ absences }) => absences.map(({ to }) => to - at));
      t.equal(absences.length, WORKERS, `${what}: each worker was disconnected once`);
      figure(t, `${what}: ready`, [ready - at]);
      figure(t, `${what}: without service`, absences);
      crew.work();
    };

    await t.test('workers continue over systemctl restart', (t) =>
      survives(t, 'restart', async () => {
        const at = monotonic();
        await booted.systemctl('restart', SERVICE);
        return at;
      }),
    );
    await t.test('workers continue over SIGKILL', (t) =>
      survives(t, 'SIGKILL', () => booted.signal('SIGKILL')),
    );
    await t.test('workers continue over SIGABRT', (t) =>
      survives(t, 'SIGABRT', () => booted.signal('SIGABRT')),
    );
    await t.test('workers continue when the watchdog ends a stopped daemon', async (t) => {
      await survives(t, 'watchdog', () => booted.signal('SIGSTOP'));
      const said = await booted.journal('UNIT=vkmemd.service', 'PRIORITY=3');
      t.ok(
        said.some(({ MESSAGE }) => MESSAGE?.includes('Watchdog timeout')),
        'the journal has the reason',
      );
    });
    await t.test('workers continue over an upgrade to a newer build', async (t) => {
      await nextBuild(booted);
      await survives(t, 'upgrade', async () => {
        await booted.dropIn('next', programIn(NEXT));
        const at = monotonic();
        await booted.systemctl('restart', SERVICE);
        return at;
      });
      t.match((await booted.vkmemctl('worker', 'status')).stdout, /^vkmemd 0\.1\.0-next is ready/);
    });

    // The journal also gets the JSON, through standard output, of entries that it had no room for at that
    // moment.
    const said = await booted.journal(`_SYSTEMD_UNIT=${SERVICE}`);
    const back = said.filter(({ MESSAGE }) => MESSAGE?.includes('state of the previous daemon was restored'));
    t.equal(back.length, 5, 'each restart logs what it restored');
    t.match(back.at(-1)?.MESSAGE, /degraded(=|":)0\b.*sessions(=|":)4\b.*lost(=|":)\[\]/);
    await crew.end();
    const { ids, counts } = await crew.has();
    t.strictSame(ids, []);
    t.match(counts, NOTHING);
    await booted.emptyStore();
    t.pass('the fd store is empty');
  },
);

/** Creates a build with another version, and with an addon and a proto of its own. */
async function nextBuild(booted: Booted): Promise<void> {
  const [from, to] = [booted.path(TREE), booted.path(NEXT)];
  // The Node.js of the tree is not copied: the unit names the one that runs it.
  const filter = (path: string) => !path.includes('/daemon/runtime');
  for (const part of ['daemon', 'proto']) {
    cpSync(join(from, part), join(to, part), { recursive: true, filter });
  }
  await booted.run('mkdir', `${NEXT}/node_modules`);
  await booted.run('mount', '--bind', `${TREE}/node_modules`, `${NEXT}/node_modules`);
  const path = join(to, 'daemon/package.json');
  const described = JSON.parse(readFileSync(path, 'utf8')) as { version: string };
  writeFileSync(path, JSON.stringify({ ...described, version: `${described.version}-next` }));
}
