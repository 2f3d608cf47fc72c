/**
 * Sessions whose processes live while no daemon runs: each ends with its process, at any time, and no pidfd
 * is kept for a session that has nothing.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { fdInfo, isOfFront, SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { allocate, budget, controlled, list, nothingLeft, rewritten } from './support.js';

/** Starts a client of programs/, which prints a line when it has its memory. */
async function client(program: string, ...args: readonly string[]): Promise<ChildProcess> {
  const path = fileURLToPath(new URL(`programs/${program}.js`, import.meta.url));
  const child = spawn(...plainNode([path, ...args]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** The fds of a process, by their targets. */
function fdsOf(pid: number, what: RegExp): string[] {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return what.test(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // It was closed meanwhile.
    }
  });
}

/** The pidfds of the daemon, without its front's, and those of them that its event loop watches. */
async function pidfds(daemon: SupervisedDaemon): Promise<{ open: number; watched: number }> {
  const pid = await until('a daemon', () => daemon.pid);
  const open = fdsOf(pid, /pidfd/).filter((fd) => !isOfFront(pid, fd));
  const polls = fdsOf(pid, /eventpoll/).map((fd) => fdInfo(pid, fd));
  const watched = open.filter((fd) => polls.some((text) => new RegExp(`^tfd: +${fd} `, 'm').test(text)));
  return { open: open.length, watched: watched.length };
}

/** The pidfds of the daemon, without its front's and those of connections to the control socket. */
function heldPidfds(daemon: SupervisedDaemon): Promise<number> {
  return controlled(daemon, async (control) => {
    const { families } = await control.call('GetMetrics', {});
    const { metrics = [] } = families.find(({ name }) => name === 'vkmemd_connections') ?? {};
    const ofControl = metrics.find(({ labels }) => labels.some(({ value }) => value === 'control'));
    return (await pidfds(daemon)).open - (ofControl?.value ?? 0);
  });
}

t.test('a process that ends during the import of its memory', async (t) => {
  const layer = new FakeLayer(t);
  const daemon = await SupervisedDaemon.start(t, { env: layer.environment });
  const probes = layer.calls('vkAllocateMemory').length;
  const holder = await client('holder', daemon.runtimeDir);
  layer.script(`delay vkAllocateMemory ${probes + 1} 6000`);
  await daemon.kill();
  await until('an import, with the process watched', async () => {
    return (await pidfds(daemon)).watched === 1 ? true : undefined;
  });
  holder.kill('SIGKILL');
  await until('its end is noticed', async () => ((await pidfds(daemon)).open === 0 ? true : undefined));
  layer.script();
  await daemon.serving();
  await until('the end of its session', async () => {
    return (await budget(daemon)).counts?.sessions === 0 ? true : undefined;
  });
  t.strictSame(
    (await list(daemon)).map(({ name }) => name),
    ['stays'],
    'its memory ends with it',
  );
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'stays' } }));
  await nothingLeft(t, daemon);
});

t.test('a session that has nothing is not kept', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x11);
  held.fd.close();
  await wire.ask({ free: { allocation: { id: held.id } } });
  await daemon.kill();
  await daemon.serving();
  await until('its process is not watched', async () =>
    (await heldPidfds(daemon)) === 0 ? true : undefined,
  );
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('a session that ended and released its locks is not kept', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  const held = await allocate(wire, 0x22, { name: 'one', sharing: 'SHARING_EXCLUSIVE' } as object);
  held.fd.close();
  await wire.ask({ release: { grantId: held.grantId } });
  wire.close();
  const orphaned = await client('orphaning', daemon.runtimeDir, 'one');
  await until('its end', async () => ((await budget(daemon)).counts?.sessions === 0 ? true : undefined));
  await rewritten(daemon, ({ grants }) => {
    for (const { id } of grants.all) grants.remove(id);
  });
  await until('its process is not watched', async () =>
    (await heldPidfds(daemon)) === 0 ? true : undefined,
  );
  orphaned.kill('SIGKILL');
  await controlled(daemon, (control) => control.call('FreeAllocation', { allocation: { name: 'one' } }));
  await nothingLeft(t, daemon);
});
