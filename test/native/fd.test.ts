/** OwnedFd, EventFd and lockFile: one owner each. */

import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { EventFd, lockFile, OwnedFd } from '@vkmemd/proto';
import t from 'tap';
import { isCloexec, openFds, sameFds, until } from './open-fds.js';

const nullFd = () => new OwnedFd(openSync('/dev/null', 'r'), 'null');

t.test('an OwnedFd is closed once, or taken once', async (t) => {
  const before = openFds();
  const fd = nullFd();
  const copy = fd.dup('copy');
  t.not(copy.fd, fd.fd);
  t.ok(isCloexec(copy.fd));
  fd.close();
  fd.close();
  t.equal(fd.open, false);
  t.throws(() => fd.fd, /closed or taken/);
  t.throws(() => fd.take(), /closed or taken/);
  t.throws(() => fd.dup(), /closed or taken/);
  const number = copy.take();
  copy.close();
  t.ok(fstatSync(number).isCharacterDevice(), 'close() after take() closes nothing');
  closeSync(number);
  {
    using scoped = nullFd();
    t.ok(scoped.open);
  }
  for (const bad of [-1, 1.5, Number.NaN, 2 ** 31]) t.throws(() => new OwnedFd(bad, 'bad'), RangeError);
  await sameFds(t, before);
});

t.test('an OwnedFd that is not closed is closed by the garbage collector, with a warning', async (t) => {
  const before = openFds();
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;
  const warnings: Error[] = [];
  const onWarning = (warning: Error) => warnings.push(warning);
  process.on('warning', onWarning);
  (() => new OwnedFd(openSync('/dev/null', 'r'), 'forgotten'))();
  for (let i = 0; i < 100 && warnings.length === 0; i++) {
    gc();
    await sleep(10);
  }
  process.off('warning', onWarning);
  t.match(warnings, [{ name: 'FdLeakWarning', message: /forgotten/ }]);
  await sameFds(t, before);
});

t.test('an eventfd adds up signals and wakes the listener', async (t) => {
  const before = openFds();
  const event = EventFd.create();
  t.ok(isCloexec(event.fd.fd));
  const other = new EventFd(event.fd.dup());
  const counts: bigint[] = [];
  event.listen((count) => counts.push(count));
  other.signal();
  other.signal(41n);
  await until(() => counts.length > 0);
  t.strictSame(counts, [42n]);
  other.signal();
  await until(() => counts.length > 1);
  t.strictSame(counts, [42n, 1n]);
  event.unlisten();
  other.signal();
  await sleep(20);
  t.equal(counts.length, 2);
  event.listen((count) => counts.push(count));
  await until(() => counts.length > 2);
  event.unlisten();
  t.throws(() => other.signal(0n), { code: 'INVALID_ARGUMENT' });
  other.signal(0xffff_ffff_ffff_fffen);
  t.throws(() => other.signal(1n), { code: 'EAGAIN' });
  event.close();
  event.close();
  t.throws(() => event.signal(), /closed or taken/);
  other.close();
  await sameFds(t, before);
});

t.test('a listener does not wait for what another holder has read', async (t) => {
  t.setTimeout(60_000);
  const before = openFds();
  const event = EventFd.create();
  const other = new EventFd(event.fd.dup());
  let counted = 0n;
  event.listen((count) => {
    counted += count;
  });
  // O_NONBLOCK is a flag that all holders share: a read of an empty counter would wait without end.
  const thief = `
import os
os.set_blocking(0, True)
print(flush=True)
while True:
    os.set_blocking(0, True)
    try:
        os.read(0, 8)
    except BlockingIOError:
        pass`;
  const child = spawn('python3', ['-c', thief], { stdio: [event.fd.fd, 'pipe', 'inherit'] });
  t.teardown(() => child.kill('SIGKILL'));
  await once(child.stdout as Readable, 'data');
  const SIGNALS = 20_000;
  for (let at = 0; at < SIGNALS; at += 1) {
    other.signal();
    await new Promise(setImmediate);
  }
  child.kill('SIGKILL');
  await once(child, 'close');
  t.ok(counted > 0n && counted < SIGNALS, `of ${SIGNALS} signals ${counted} were read here`);
  const last = counted;
  other.signal();
  await until(() => counted > last);
  event.close();
  other.close();
  await sameFds(t, before);
});

t.test('a lock excludes this process and others, and ends with its fd', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'vkmem-'));
  const path = join(directory, 'lock');
  const before = openFds();
  const lock = lockFile(path);
  t.ok(lock);
  t.ok(isCloexec(lock?.fd ?? -1));
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.equal(lockFile(path), undefined);
  const tryThere = () =>
    spawnSync(process.execPath, [
      '--input-type=module',
      '-e',
      `import { lockFile } from ${JSON.stringify(import.meta.resolve('@vkmemd/proto'))};
       process.stdout.write(String(lockFile(${JSON.stringify(path)}) !== undefined));`,
    ]).stdout.toString();
  t.equal(tryThere(), 'false');
  lock?.close();
  t.equal(tryThere(), 'true');
  symlinkSync(path, join(directory, 'link'));
  t.throws(() => lockFile(join(directory, 'link')), { code: 'ELOOP', syscall: 'open' });
  t.equal(readFileSync(path, 'utf8'), '');
  rmSync(directory, { recursive: true });
  await sameFds(t, before);
});
