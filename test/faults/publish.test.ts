/**
 * Published memory and waiting claims when the device is lost; a device without memfds; a write of the device
 * that is in progress.
 */
import { readFileSync } from 'node:fs';
import { addSeals, SEALS } from '@vkmemd/proto';
import t from 'tap';
import type { HandoffWire } from '../support/handoff-wire.js';
import {
  allocate,
  claim,
  type FakeHost,
  type Granted,
  loseDevice,
  mapped,
  onFake,
  PAGE,
  refusalOf,
  release,
  SIZE,
  stillServes,
  until,
  wireKinds,
} from './support.js';

t.jobs = 3;

const mappable = wireKinds('MAPPABLE');
const filled = (pattern: number) => Buffer.alloc(Number(SIZE), pattern);

/** The number of mappings of memfds of this name in the daemon. */
function mapsOf(host: FakeHost, name: string): number {
  const maps = readFileSync(`/proc/${host.daemon.pid}/maps`, 'utf8');
  return maps.split('\n').filter((line) => line.includes(`memfd:${name}`)).length;
}

async function publishable(wire: HandoffWire, name: string, pattern: number): Promise<Granted> {
  const made = await allocate(wire, { sizeBytes: SIZE, kinds: mappable, name, publishable: true });
  const view = mapped(made);
  new Uint8Array(view.buffer).fill(pattern);
  view.unmap();
  return made;
}

const publish = (host: FakeHost, { id }: Granted) => host.control.call('Publish', { allocation: { id } });

t.test('published memory survives a lost device', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const published = await publishable(wire, 'published', 1);
    const sealed = await publishable(wire, 'sealed', 2);
    const open = await publishable(wire, 'open', 3);
    await publish(host, published);
    for (const fd of sealed.fds) addSeals(fd, SEALS.FUTURE_WRITE);
    for (let times = 0; times < 3; times += 1) {
      await loseDevice(host);
      await stillServes(host);
      for (const [at, { id }] of [published, sealed, open].entries()) {
        t.ok((await host.bytesOf(wire, id, SIZE)).equals(filled(at + 1)), `${times}, ${at}`);
      }
      t.strictSame(
        ['published', 'sealed', 'open'].map((name) => mapsOf(host, name)),
        [1, 1, 1],
        'each is mapped once',
      );
    }
    for (const { id } of [published, sealed])
      t.match(await refusalOf(host.fill(id, 1)), { code: 'PUBLISHED' });
    await host.fill(open.id, 0x09090909);
    t.ok((await host.bytesOf(wire, open.id, SIZE)).equals(filled(9)));
    for (const made of [published, sealed, open]) await release(made);
    t.equal(mapsOf(host, 'published') + mapsOf(host, 'sealed') + mapsOf(host, 'open'), 0);
  });
});

t.test('memory can be freed or published while the device is lost', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const freed = await publishable(wire, 'freed', 1);
    const late = await publishable(wire, 'late', 2);
    await loseDevice(
      host,
      'fail vkCreateDevice 1 VK_ERROR_INITIALIZATION_FAILED',
      'delay vkCreateDevice * 300',
    );
    await publish(host, late);
    await release(freed);
    t.equal(mapsOf(host, 'freed'), 0, 'its mapping was removed');
    host.layer.script();
    await stillServes(host);
    t.ok((await host.bytesOf(wire, late.id, SIZE)).equals(filled(2)));
    await release(late);
  });
});

t.test('a claim that waits for memory ends with the device', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const [wire, other] = [await host.session(), await host.session()];
    const kinds = wireKinds('OPAQUE_FD');
    const made = await allocate(wire, {
      sizeBytes: PAGE,
      kinds,
      name: 'gone',
      sharing: 'SHARING_ONE_WRITER',
    });
    const allocation = { id: made.id };
    const wait = refusalOf(other.ask({ claim: { allocation, kinds, waitMs: 60_000 } }));
    await host.control.budget();
    await loseDevice(host);
    t.match(await wait, { code: 'DEVICE_LOST' });
    for (const fd of made.fds) fd.close();
    for (const { id } of made.grants) await wire.ask({ release: { grantId: id } });
    await stillServes(host);
  });
});

t.test('Publish waits until the device has written', { buffered: true }, async (t) => {
  await onFake(t, [], async (host) => {
    const wire = await host.session();
    const made = await publishable(wire, 'written', 1);
    host.layer.script('delay vkQueueSubmit 1 500');
    const before = host.layer.calls('vkQueueSubmit').length;
    const fill = host.fill(made.id, 0x05050505);
    await until('the fill is in progress', () => host.layer.calls('vkQueueSubmit').length > before);
    await publish(host, made);
    const reader = await claim(wire, made.id, 'MAPPABLE').catch(({ code }) => code);
    t.equal(reader, 'PUBLISHED');
    t.ok((await host.bytesOf(wire, made.id, SIZE)).equals(filled(5)), 'the fill was complete');
    await fill;
    await release(made);
  });
});

t.test('MAPPABLE memory that is not a memfd cannot be published', { buffered: true }, async (t) => {
  await onFake(t, ['dma_buf present', 'host_import absent'], async (host) => {
    const request = { sizeBytes: PAGE, kinds: mappable, publishable: true };
    const refusal = await refusalOf(allocate(await host.session(), request));
    t.match(refusal, { code: 'NOT_PUBLISHABLE', reason: /a dma-buf/ });
  });
});

t.test('memory that can be granted as DMA_BUF cannot be published', { buffered: true }, async (t) => {
  await onFake(t, ['dma_buf present'], async (host) => {
    const wire = await host.session();
    for (const kinds of [wireKinds('DMA_BUF'), wireKinds('OPAQUE_FD', 'DMA_BUF')]) {
      const refusal = await refusalOf(allocate(wire, { sizeBytes: PAGE, kinds, publishable: true }));
      t.match(refusal, { code: 'NOT_PUBLISHABLE', reason: /OPAQUE_FD alone/ }, kinds.join());
    }
  });
});
