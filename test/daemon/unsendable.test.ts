/**
 * An answer that cannot be sent: its fds are closed at once, and the connection ends, because the client
 * would wait for an answer whose grants it does not know. Other clients are served as before.
 */
import { join } from 'node:path';
import { errorOf, HANDOFF_SOCKET, type OwnedFd } from '@vkmemd/proto';
import t, { type Test } from 'tap';
import { HandoffServer } from 'vkmemd/dist/handoff/server.js';
import { makePartsHandlers } from 'vkmemd/dist/requests/handlers.js';
import { hello } from 'vkmemd/dist/requests/hello.js';
import { Device } from 'vkmemd/dist/vulkan/device.js';
import { coreOn, handlersOf } from '../support/core.js';
import { driverUnderTest, temporaryFolder } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { LET_IN, policyOf } from '../support/quotas.js';

process.env.VK_DRIVER_FILES = driverUnderTest();

async function serving(t: Test) {
  const device = await Device.open();
  const faults: string[] = [];
  const folder = temporaryFolder(t);
  const core = coreOn(device, { policy: policyOf([LET_IN]), faults });
  const collaborators = {
    ...core,
    handlers: handlersOf(core),
    partsHandlers: makePartsHandlers(core),
    greetings: hello(core),
  };
  const server = new HandoffServer({ ...collaborators, front: { pid: undefined } });
  server.listen(join(folder, HANDOFF_SOCKET));
  t.teardown(async () => {
    await server[Symbol.asyncDispose]();
    await device.close();
  });
  return { core, server, folder, faults };
}

t.test('an answer that cannot be encoded ends the connection', async (t) => {
  const { core, server, folder, faults } = await serving(t);
  const other = await HandoffWire.open(folder);
  const wire = await HandoffWire.open(folder);
  const { signals } = core;
  const make = signals.create.bind(signals);
  let fds: OwnedFd[] = [];
  signals.create = async (session) => {
    const signal = await make(session);
    fds = signal.fds;
    // Needs more than 64 bits.
    return { ...signal, secret: (2n ** 70n) as unknown as string };
  };
  const leased = core.fds.leased;
  wire.send({ createSignal: {} });
  const { message } = await wire.next();
  t.equal(message.sequence, 2n, 'a request before it is answered');
  t.equal(message.error && errorOf(message.error).code, 'INTERNAL');
  t.strictSame(await wire.closed, [], 'and the connection ends');
  t.strictSame(
    fds.map(({ open }) => open),
    [false, false],
    'the fds of the answer are closed',
  );
  signals.create = make;
  const answer = await other.ask({ createSignal: {} });
  t.equal(answer.fds.length, 2, 'other clients are served');
  for (const fd of answer.fds) fd.close();
  other.close();
  await other.closed;
  while (server.connections > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  t.ok(core.fds.leased < leased, 'no fd stays leased');
  t.strictSame(faults, ['an answer could not be sent']);
});
