/**
 * The watchdog of the service manager: keep-alive messages are sent while the event loop runs and the device
 * answers; tested with a driver that can be made to hang (test/layer), and with a lost device.
 */
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { Watchdog, type WatchdogHandlers, watchdogTime } from 'vkmemd/dist/systemd/watchdog.js';
import { FakeHost, loseDevice, stillServes, until } from '../faults/support.js';
import { startDaemon, temporaryFolder } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { manager } from './manager.js';

/** The driver is queried each time, as one with VK_EXT_memory_budget is. */
const ASKED = 'budget present';
const HANGS = 'delay vkGetPhysicalDeviceMemoryProperties2 * 6000';

/** A daemon with a watchdog and 200 ms between two messages. */
async function watched(t: Test) {
  const path = join(temporaryFolder(t), 'notify');
  const { messages, close } = manager(path);
  t.teardown(close);
  const layer = new FakeLayer(t, ASKED);
  const env = { ...layer.environment, NOTIFY_SOCKET: path, WATCHDOG_USEC: '400000' };
  const daemon = await startDaemon(t, { env });
  const fed = () => messages.filter((message) => message === 'WATCHDOG=1').length;
  const more = async () => {
    const before = fed();
    await until('keep-alive messages are sent', () => fed() >= before + 3);
  };
  return { layer, daemon, messages, fed, more };
}

t.test('a driver that hangs, and continues', async (t) => {
  const { layer, daemon, messages, fed, more } = await watched(t);
  await more();
  t.match(messages[0], /^READY=1/, 'no message before READY');
  layer.script(ASKED, HANGS);
  await until('the hang is noticed', () => /the device does not respond/.test(daemon.log()));
  const before = fed();
  await setTimeout(1500);
  t.equal(fed(), before, 'no message meanwhile, although the event loop runs');
  t.equal(daemon.log().match(/the device does not respond/g)?.length, 1, 'logged once');
  layer.script(ASKED);
  await more();
  t.strictSame(await daemon.stop(), { code: 0, signal: null });
  t.equal(messages.at(-1), 'STOPPING=1', 'the last message');
});

t.test('messages continue while a lost device cannot be opened again', async (t) => {
  const { layer, daemon, more } = await watched(t);
  const host = new FakeHost(layer, daemon);
  await loseDevice(host, ASKED, 'fail vkCreateDevice * VK_ERROR_INITIALIZATION_FAILED');
  await until('opening is tried', () => /could not be opened again/.test(daemon.log()));
  await more();
  t.notMatch(daemon.log(), /watchdog is not fed/);
  layer.script(ASKED);
  await stillServes(host);
  await more();
  host.close();
});

t.test('the process and the interval of the watchdog', async (t) => {
  const time = (env: NodeJS.ProcessEnv) => watchdogTime(env, 4711);
  const both = { WATCHDOG_USEC: '3000000', WATCHDOG_PID: '4711' };
  const env = { ...both };
  t.equal(time(env), 3000);
  t.strictSame(env, {}, 'children do not inherit it');
  t.equal(time({ WATCHDOG_USEC: '3000000' }), 3000, 'without a pid it is for every process');
  t.equal(time({ ...both, WATCHDOG_PID: '4712' }), undefined, 'for another process');
  t.equal(time({}), undefined);
  for (const wrong of ['', 'soon', '-1', '0', '1999', '1e9', '18446744073709551615']) {
    t.throws(() => time({ WATCHDOG_USEC: wrong }), /is not a time in microseconds/, JSON.stringify(wrong));
  }
});

t.test('a failed query sends no message', async (t) => {
  const said: string[] = [];
  const answers = [Promise.reject(new Error('no')), Promise.resolve()];
  const fed: WatchdogHandlers = {
    answer: () => answers.shift() ?? new Promise(() => {}),
    feed: () => said.push('fed'),
    unanswered: () => said.push('unanswered'),
    failed: (failure) => said.push(String(failure)),
  };
  const watchdog = new Watchdog(20, fed);
  // The watchdog's timer does not keep the process alive.
  const hold = setInterval(() => {}, 1000);
  await until('the query was made', () => said.includes('unanswered'));
  clearInterval(hold);
  watchdog[Symbol.dispose]();
  t.strictSame(said, ['Error: no', 'fed', 'unanswered']);
});
