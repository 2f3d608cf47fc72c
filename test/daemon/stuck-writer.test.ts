/**
 * A client whose write() to memory that is being published never ends: in the kernel, sealing waits for it;
 * no other client of the daemon waits.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { connect } from '@vkmemd/client';
import t from 'tap';
import { root, startDaemon } from '../support/daemon.js';

const PROGRAM = join(root, 'test/support/stuck_writer.py');
const command = ['--mount', '--propagation', 'private', 'python3', PROGRAM];

t.test('only the publishing request waits for a stuck write', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const memory = await client.allocate({ size: 65_536, name: 'stuck', publishable: true });
  using fd = memory.fd('MAPPABLE');
  const writer = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'ignore', fd.fd] });
  const { value: first } = await createInterface({ input: writer.stdout as NodeJS.ReadableStream })
    [Symbol.asyncIterator]()
    .next();
  const ended = once(writer, 'exit');
  if (first !== 'stuck') {
    await memory.free();
    return void t.pass(`no such file here: ${first}`, { skip: true });
  }
  let published = false;
  const publishing = memory.publish().then(() => {
    published = true;
  });
  await using mine = await other.allocate({ size: 65_536, publishable: true });
  t.match(await mine.publish(), { published: true }, 'others are served, and can publish');
  t.match(await client.get(memory), { published: false });
  await (await other.claim(memory)).release();
  t.equal(published, false);

  writer.stdin?.end();
  await ended;
  await publishing;
  t.match(await client.get(memory), { published: true }, 'Publish completes when the write has ended');
  fd.close();
  await memory.free();
});

t.test('no session becomes the writer while Publish waits', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  await using client = await connect({ runtimeDir });
  await using other = await connect({ runtimeDir });
  const sizes = { size: 65_536, publishable: true, sharing: 'ONE_WRITER' } as const;
  const memories = await Promise.all(['a', 'b', 'late'].map((name) => client.allocate({ ...sizes, name })));
  const late = memories[2] as (typeof memories)[number];
  const writers = [];
  for (const memory of memories.slice(0, 2)) {
    using fd = memory.fd('MAPPABLE');
    const writer = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'ignore', fd.fd] });
    const lines = createInterface({ input: writer.stdout as NodeJS.ReadableStream })[Symbol.asyncIterator]();
    writers.push({ writer, first: (await lines.next()).value, ended: once(writer, 'exit') });
  }
  if (writers.some(({ first }) => first !== 'stuck')) {
    for (const memory of memories) await memory.free();
    const [why] = writers.map(({ first }) => first).filter((first) => first !== 'stuck');
    return void t.pass(`no such file here: ${why}`, { skip: true });
  }
  // One session has two turns at a time: the third request waits for one of them.
  const publishing = memories.map((memory) => memory.publish());
  const refused = t.rejects(publishing[2] as Promise<unknown>, { code: 'BUSY' });
  await client.list();
  for (const memory of memories) await memory.release();
  await t.rejects(
    other.claim({ name: 'a' }),
    { code: 'BUSY' },
    'a claim to write fails while the seals are being set',
  );
  await other.claim(late);
  for (const { writer, ended } of writers) {
    writer.stdin?.end();
    await ended;
  }
  await Promise.all(publishing.slice(0, 2));
  await refused;
  t.match(await client.get(late), { published: false, writerSessionId: other.session.id });
  for (const name of ['a', 'b', 'late']) await other.free({ name });
});

t.test('a daemon that stops while Publish waits still answers', async (t) => {
  const daemon = await startDaemon(t);
  const client = await connect({ runtimeDir: daemon.runtimeDir });
  const memory = await client.allocate({ size: 65_536, name: 'stuck', publishable: true });
  using fd = memory.fd('MAPPABLE');
  const writer = spawn('unshare', command, { stdio: ['pipe', 'pipe', 'ignore', fd.fd] });
  const { value: first } = await createInterface({ input: writer.stdout as NodeJS.ReadableStream })
    [Symbol.asyncIterator]()
    .next();
  const ended = once(writer, 'exit');
  if (first === 'stuck') {
    const publishing = t.rejects(memory.publish(), { code: 'UNAVAILABLE' });
    await client.list();
    const stopped = daemon.stop();
    await publishing;
    writer.stdin?.end();
    await ended;
    t.strictSame(await stopped, { code: 0, signal: null }, 'it exits when the write has ended');
  } else {
    t.pass(`no such file here: ${first}`, { skip: true });
    await memory.free();
  }
  await client.close();
});
