/**
 * Published OPAQUE_FD memory, which has no seals: the ledger says that it is published, also to the next daemon, and a
 * ledger that cannot be written leaves it as it was.
 */
import { closeAll } from '@vkmemd/proto';
import t from 'tap';
import { SupervisedDaemon, until } from '../support/supervised-daemon.js';
import { budget, controlled, list, nothingLeft, rewritten } from './support.js';

const OPAQUE = ['KIND_OPAQUE_FD'] as const;
const privileged = process.getuid?.() === 0 ? false : 'needs root, to mount a tmpfs';

const publish = (daemon: SupervisedDaemon, name: string) =>
  controlled(daemon, (control) => control.call('Publish', { allocation: { name } }));

t.test('published OPAQUE_FD memory stays published', async (t) => {
  const daemon = await SupervisedDaemon.start(t);
  const wire = await daemon.open();
  for (const name of ['published', 'open']) {
    await wire.ask({ allocate: { sizeBytes: 65_536n, kinds: OPAQUE, name, publishable: true } });
  }
  const fill = (name: string) =>
    controlled(daemon, (control) =>
      control.call('Transfer', { fill: { allocation: { name }, pattern: 0x07070707 } }),
    );
  await fill('published');
  t.match(await publish(daemon, 'published'), { allocation: { published: true } });
  for (const signal of ['SIGKILL', 'SIGTERM'] as const) {
    await daemon.kill(signal);
    await daemon.serving();
    const states = (await list(daemon)).map(({ name, published }) => [name, published]);
    t.strictSame(states, [['published', true], ['open', false]], `after ${signal}`); // biome-ignore format: one line
    const again = await daemon.open();
    const claim = { allocation: { name: 'published' }, kinds: OPAQUE };
    await t.rejects(again.ask({ claim }), { code: 'PUBLISHED' });
    const { message, fds } = await again.ask({ claim: { ...claim, access: 'ACCESS_READ_ONLY' } });
    t.match(message.claim?.grants, [{ readOnly: 'READ_ONLY_STRENGTH_ADVISORY' }]);
    closeAll(fds);
    await again.ask({ release: { grantId: message.claim?.grants[0]?.id ?? 0n } });
    await t.rejects(fill('published'), { code: 'PUBLISHED' });
    await fill('open');
    t.match(await publish(daemon, 'published'), { allocation: { published: true } }, 'again');
    again.close();
    await until('the end of the session', async () =>
      (await budget(daemon)).counts?.sessions === 0 ? true : undefined,
    );
  }
  await rewritten(daemon, ({ allocations }) => {
    const records = allocations.all.map(({ terms, published }) => [terms.name, published]);
    t.strictSame(Object.fromEntries(records), { published: true, open: undefined });
  });
  const last = await daemon.open();
  for (const name of ['published', 'open']) await last.ask({ free: { allocation: { name } } });
  last.close();
  wire.close();
  await nothingLeft(t, daemon);
});

t.test('what the ledger cannot record is not published', { skip: privileged }, async (t) => {
  const daemon = await SupervisedDaemon.start(t, { tmpfs: '1m' });
  const wire = await daemon.open();
  const names = Array.from({ length: 40 }, (_, number) => `w${number}`);
  for (const name of names) {
    await wire.ask({ allocate: { sizeBytes: 4096n, kinds: OPAQUE, name, publishable: true } });
  }
  const empty = daemon.fill();
  const outcomes = new Map<string, string>();
  for (const name of names) {
    outcomes.set(name, await publish(daemon, name).then(() => 'published', ({ code }) => code)); // biome-ignore format: one line
  }
  for (const { name, published } of await list(daemon)) {
    t.equal(outcomes.get(name), published ? 'published' : 'LEDGER_FULL', name);
  }
  empty();
  for (const name of names) t.match(await publish(daemon, name), { allocation: { published: true } });
  for (const name of names) await wire.ask({ free: { allocation: { name } } });
  wire.close();
  await nothingLeft(t, daemon);
});
