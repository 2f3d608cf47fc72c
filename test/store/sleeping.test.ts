/**
 * Sessions whose processes live while there is no daemon: each ends with its process, whenever that is, and no pidfd is
 * kept of one that has nothing to come back for.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { plainEnvironment, plainNode } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { Kept, until } from '../support/kept.js';
import { allocate, budget, controlled, list, nothingLeft, rewritten } from './support.js';

/** Starts a client of programs/, which says when it has what it wants. */
async function client(program: string, ...args: readonly string[]): Promise<ChildProcess> {
  const path = fileURLToPath(new URL(`programs/${program}.js`, import.meta.url));
  const child = spawn(...plainNode([path, ...args]), {
    env: plainEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  return child;
}

/** The fds of a process by what they are. */
function fdsOf(pid: number, what: RegExp): string[] {
  return readdirSync(`/proc/${pid}/fd`).filter((fd) => {
    try {
      return what.test(readlinkSync(`/proc/${pid}/fd/${fd}`));
    } catch {
      return false; // It was closed meanwhile.
    }
  });
}

/** The pidfds of the daemon, and those of them whose end its event loop would hear of. */
async function pidfds(kept: Kept): Promise<{ open: number; watched: number }> {
  const pid = await until('a daemon', () => kept.pid);
  const open = fdsOf(pid, /pidfd/);
  const polls = fdsOf(pid, /eventpoll/).map((fd) => readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8'));
  const watched = open.filter((fd) => polls.some((text) => new RegExp(`^tfd: +${fd} `, 'm').test(text)));
  return { open: open.length, watched: watched.length };
}

t.test('a process that ends while its memory is imported', async (t) => {
  const layer = new FakeLayer(t);
  const kept = await Kept.start(t, { env: layer.environment });
  const probes = layer.calls('vkAllocateMemory').length;
  const holder = await client('holder', kept.runtimeDir);
  layer.script(`delay vkAllocateMemory ${probes + 1} 6000`);
  await kept.kill();
  await until('an import, with the process watched', async () => {
    return (await pidfds(kept)).watched === 1 ? true : undefined;
  });
  holder.kill('SIGKILL');
  await until('its end to be seen', async () => ((await pidfds(kept)).open === 0 ? true : undefined));
  layer.script();
  await kept.serving();
  await until('the end of its session', async () => {
    return (await budget(kept)).counts?.sessions === 0 ? true : undefined;
  });
  t.strictSame(
    (await list(kept)).map(({ name }) => name),
    ['stays'],
    'its memory ends with it',
  );
  await controlled(kept, (control) => control.call('FreeAllocation', { allocation: { name: 'stays' } }));
  await nothingLeft(t, kept);
});

t.test('a session that has nothing any more', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const held = await allocate(wire, 0x11);
  held.fd.close();
  await wire.ask({ free: { allocation: { id: held.id } } });
  await kept.kill();
  await kept.serving();
  t.match(await pidfds(kept), { open: 0 }, 'its process is not watched');
  wire.close();
  await nothingLeft(t, kept);
});

t.test('a session that ended, with rights that are gone', async (t) => {
  const kept = await Kept.start(t);
  const wire = await kept.open();
  const held = await allocate(wire, 0x22, { name: 'one', sharing: 'SHARING_EXCLUSIVE' } as object);
  held.fd.close();
  await wire.ask({ release: { grantId: held.grantId } });
  wire.close();
  const departed = await client('departed', kept.runtimeDir, 'one');
  await until('its end', async () => ((await budget(kept)).counts?.sessions === 0 ? true : undefined));
  await rewritten(kept, ({ grants }) => {
    for (const { id } of grants.all) grants.remove(id);
  });
  t.match(await pidfds(kept), { open: 0 }, 'its process is not watched');
  departed.kill('SIGKILL');
  await controlled(kept, (control) => control.call('FreeAllocation', { allocation: { name: 'one' } }));
  await nothingLeft(t, kept);
});
