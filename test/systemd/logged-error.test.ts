/** How the log shows failures: expected ones by their text, others with the stack. */
import { closeSync, openSync } from 'node:fs';
import { VkmemError } from '@vkmemd/proto';
import t from 'tap';
import { loggedError } from 'vkmemd/dist/systemd/logged-error.js';
import { assertNoLeaks, startDaemon } from '../support/daemon.js';

function caught(work: () => unknown): Error {
  try {
    work();
  } catch (failure) {
    return failure as Error;
  }
  throw new Error('it did not fail');
}

t.test('a failure with a code, or of the kernel, has no stack', async (t) => {
  const kernel = caught(() => openSync('/no/such/file', 'r'));
  const coded = new VkmemError('UNAVAILABLE', 'sendmsg: ECONNREFUSED (111).', {}, kernel);
  const wrapped = new Error('it did not receive READY=1', { cause: coded });
  const fields = { syscall: 'open', path: '/no/such/file' };
  t.strictSame(loggedError(kernel), { type: 'Error', code: 'ENOENT', message: kernel.message, ...fields });
  const shown = loggedError(wrapped) as Record<string, string>;
  t.notOk('stack' in shown);
  t.equal(shown.code, 'UNAVAILABLE');
  for (const { message } of [wrapped, coded, kernel]) t.ok(shown.message?.includes(message), message);
  const twice = new Error(`read: ${kernel.message}`, { cause: kernel });
  t.match(loggedError(twice), { message: twice.message }, 'no text is there twice');
});

t.test('any other has its stack', async (t) => {
  const kernel = caught(() => openSync('/no/such/file', 'r'));
  const defects = [
    new TypeError('not a function'),
    new VkmemError('INTERNAL', 'a defect'),
    new VkmemError('INTERNAL', 'a defect', {}, kernel),
    new Error('it failed', { cause: new RangeError('out of range') }),
    new VkmemError('UNAVAILABLE', 'it failed', {}, new TypeError('not a function')),
    new Error('a defect', { cause: caught(() => closeSync(1_000_000)) }),
  ];
  for (const each of defects) t.match(loggedError(each), { stack: /\n {4}at / }, each.message);
  const circular = new Error('circular');
  circular.cause = circular;
  t.match(loggedError(circular), { message: /circular/ });
  t.equal(loggedError('a text'), 'a text');
});

t.test('a manager that receives nothing', async (t) => {
  const daemon = await startDaemon(t, { env: { NOTIFY_SOCKET: '@/no/such/manager' } });
  await assertNoLeaks(t, daemon.runtimeDir);
  await daemon.stop();
  t.match(daemon.log(), /did not receive READY=1: sendmsg: ECONNREFUSED \(111\), connection refused/);
  t.notMatch(daemon.log(), /"stack"/);
});
