/** The limit of sessions counts each of them, however it began: by Hello, by Entrust, or restored from before. */
import { spawn } from 'node:child_process';
import { decode, encode, NOTHING_HELD, openPidfd, type VkmemError } from '@vkmemd/proto';
import t from 'tap';
import type { ClientProcess } from 'vkmemd/dist/memory/session/client-process.js';
import { Sessions } from 'vkmemd/dist/memory/session/session.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { coreOn, handlersOf } from '../support/core.js';
import { driverUnderTest } from '../support/daemon.js';
import { LET_IN, peer, policyOf, rule } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

const DEFAULT_LIMITS = policyOf([]).limits;
const living = { pid: 0, exited: false, watch: () => NOTHING_HELD, closeUnwatched() {} };

t.test('entrusted sessions have places, of their tenant', async (t) => {
  const device = await Device.open();
  t.teardown(() => device.close());
  const child = spawn('sleep', ['300']);
  t.teardown(() => child.kill('SIGKILL'));
  const limits = { ...DEFAULT_LIMITS, sessions: 8 };
  const core = coreOn(device, {
    policy: policyOf([LET_IN, rule({ maxSessions: 100 })], { limits }),
    faults: [],
  });
  const handlers = handlersOf(core);
  const begin = (uid: number) => core.lifecycle.begin(peer(uid), '', living as unknown as ClientProcess);
  const session = begin(1);
  const caller = { identity: peer(1), session, gone: () => false };
  const asked = { sizeBytes: 4096n, kinds: ['KIND_MAPPABLE'], name: 'memory' } as const;
  await handlers.Allocate(caller, decode('AllocateRequest', encode('AllocateRequest', asked)), []);
  const claim = { allocation: { name: 'memory' }, kinds: ['KIND_MAPPABLE'] } as const;
  const asking = decode('ClaimRequest', encode('ClaimRequest', claim));
  const refused: VkmemError[] = [];
  for (let at = 0; at < 10; at += 1) {
    const { response, fds } = await handlers.Claim(caller, asking, []);
    for (const fd of fds) fd.close();
    const [grant] = (response as { grants: { id: bigint }[] }).grants;
    const pidfd = openPidfd(Number(child.pid));
    try {
      await handlers.Entrust(caller, { grantIds: [grant?.id ?? 0n] } as never, [pidfd]);
    } catch (failure) {
      refused.push(failure as VkmemError);
      pidfd.close();
    }
  }
  t.equal(core.sessions.size, 6, 'three quarters of 8');
  t.match(refused, Array(5).fill({ code: 'TOO_MANY_SESSIONS', metadata: { limit: '6', whose: 'user' } }));
  begin(2);
  begin(2 + 1);
  t.throws(() => begin(4), { code: 'TOO_MANY_SESSIONS', metadata: { limit: '8', whose: 'daemon' } });
  for (const each of [...core.sessions.all]) await core.lifecycle.end(each);
  begin(4);
  for (const each of [...core.sessions.all]) await core.lifecycle.end(each);
  await handlers.Free(caller, { allocation: { id: '', name: 'memory' } } as never, []);
  t.same([core.sessions.size, core.grants.size, core.fds.leased], [0, 0, 0]);
});

t.test('restored sessions count, even above the limit, and are not refused', (t) => {
  const quota = { take: () => NOTHING_HELD, count: () => NOTHING_HELD };
  const sessions = new Sessions({ of: () => quota }, () => 2);
  const sleeper = (id: bigint) => ({
    ...{ id, identity: peer(1), tokenHash: String(id), clientName: '', beganAt: 0 },
    ...{ process: undefined, entrusted: false },
  });
  const restored = [1n, 2n, 3n].map((id) => sessions.restore(sleeper(id)));
  t.throws(() => sessions.open(peer(2), ''), { code: 'TOO_MANY_SESSIONS', metadata: { whose: 'daemon' } });
  for (const each of restored) sessions.close(each);
  sessions.close(sessions.open(peer(2), ''));
  t.equal(sessions.size, 0);
  t.end();
});
