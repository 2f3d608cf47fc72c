/** Memory that is freed during a slow driver call. */
import t from 'tap';
import { allocate, claim, onFake, PAGE, wireKinds } from './support.js';

const opaque = wireKinds('OPAQUE_FD');

t.test('memory that is freed while it is exported is not granted', async (t) => {
  await onFake(t, [], async (host) => {
    const [wire, other] = [await host.session(), await host.session()];
    const { id } = await allocate(wire, { sizeBytes: PAGE, kinds: opaque, grantKinds: [] });
    const watching = host.control.watchAllocations({ includeExisting: true });
    await watching.until(({ event }) => event === 'ALLOCATION_EVENT_CREATED');
    const before = host.layer.calls('vkGetMemoryFdKHR').length;
    host.layer.script('delay vkGetMemoryFdKHR * 2000');
    const claimed = t.rejects(claim(other, id, 'OPAQUE_FD'), { code: 'NOT_FOUND' });
    // Long enough for the claim to reach the driver, even on a busy machine.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await Promise.all([claimed, host.free({ id })]);
    await watching.until(({ event }) => event === 'ALLOCATION_EVENT_FREED');
    t.equal(host.layer.calls('vkGetMemoryFdKHR').length, before + 1, 'it was exported');
    t.strictSame(
      watching.reports.map(({ event }) => String(event).replace('ALLOCATION_EVENT_', '')),
      ['CREATED', 'DRAINING', 'FREED'],
      'no event reports a grant after the end',
    );
    watching.cancel();
    await watching.ended;
  });
});
