/** The pages of the admin plane: the JSON of each by its schema, and the answers to invalid requests. */
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import t from 'tap';
import { ANYBODY, assertNoLeaks, startDaemon } from '../support/daemon.js';
import { HandoffWire } from '../support/handoff-wire.js';
import { adminSocket, get } from './support.js';

const kinds = ['KIND_MAPPABLE'] as const;
const PAGE = 4096n;

t.test('/healthz and /readyz of a ready daemon', async (t) => {
  const { runtimeDir, line } = await startDaemon(t);
  t.match(line, adminSocket(runtimeDir), 'the start line has the address');
  t.equal(statSync(adminSocket(runtimeDir)).mode & 0o777, 0o660, "it is open to the daemon's user and group");
  const health = await get(runtimeDir, '/healthz');
  t.match([health.status, health.json()], [200, { status: 'ok' }]);
  t.match(health.headers, { 'content-type': /^application\/json/, 'cache-control': 'no-store' });
  const ready = await get(runtimeDir, '/readyz');
  const { front, ...rest } = ready.json();
  t.strictSame([ready.status, rest], [200, { ready: true, reasons: [], warnings: [] }]);
  t.match(front, { present: true, since: /^\d{4}-\d\d-\d\dT/, restarts: 0 });
  const head = await get(runtimeDir, '/readyz', { method: 'HEAD' });
  t.match([head.status, head.text], [200, '']);
});

t.test('the pages list devices, budget, allocations and sessions', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const wire = await HandoffWire.open(runtimeDir);
  const session = String(wire.welcome.sessionId);
  const made = await wire.ask({ allocate: { sizeBytes: PAGE, kinds, name: 'frames' } });
  const own = await wire.ask({ allocate: { sizeBytes: PAGE * 2n, kinds, grantKinds: kinds } });
  for (const fd of own.fds) fd.close();

  const { devices } = (await get(runtimeDir, '/api/v1/devices')).json();
  t.match(devices, [
    {
      name: /llvmpipe/,
      type: 'CPU',
      deviceUuid: /^[0-9a-f]{8}-/,
      heaps: [{ index: 0, sizeBytes: /^\d+$/ }],
      kinds: [{ kind: 'MAPPABLE', rung: 'VERIFIED' }, {}, {}, {}],
      maxAllocationSizeBytes: /^\d+$/,
    },
  ]);
  const budget = (await get(runtimeDir, '/api/v1/budget')).json();
  t.match(budget, {
    heaps: [{ heapIndex: 0, liveBytes: String(PAGE * 3n), drainingBytes: '0', pressure: 'NORMAL' }],
    counts: { sessions: 1, allocations: 2, drainingAllocations: 0, grants: 1 },
  });
  const { allocations, next } = (await get(runtimeDir, '/api/v1/allocations')).json();
  t.equal(next, null, 'everything fits on one page');
  const { id } = made.message.allocate?.allocation ?? {};
  t.match(
    allocations.find((allocation: { name: string }) => allocation.name === 'frames'),
    {
      id,
      lifetime: 'NAMED',
      ownerSessionId: null,
      owner: `uid:${process.getuid?.()}`,
      ownerUid: process.getuid?.(),
      sizeBytes: String(PAGE),
      state: 'LIVE',
      kinds: ['MAPPABLE'],
      createdAt: /^\d{4}-\d\d-\d\dT/,
    },
  );
  t.match(
    allocations.find((allocation: { name: string }) => allocation.name === ''),
    { lifetime: 'SESSION', ownerSessionId: session, grants: 1, sizeBytes: String(PAGE * 2n) },
  );
  const answer = await get(runtimeDir, '/api/v1/sessions');
  t.match(answer.json(), {
    sessions: [
      {
        id: session,
        uid: process.getuid?.(),
        pid: process.pid,
        allocations: 1,
        bytes: String(PAGE * 2n),
        grants: 1,
      },
    ],
    next: null,
  });
  t.notMatch(answer.text, wire.welcome.sessionToken, 'a session is listed without its token');
  await wire.ask({ free: { allocation: { name: 'frames' } } });
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('no page contains a token or the secret of a ticket', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const wire = await HandoffWire.open(runtimeDir);
  await wire.ask({ allocate: { sizeBytes: PAGE, kinds, name: 'frames' } });
  const { message } = await wire.ask({ createTicket: { allocation: { name: 'frames' } } });
  const secrets = [wire.welcome.sessionToken, message.createTicket?.secret ?? ''];
  const api = ['allocations', 'budget', 'devices', 'sessions'].map((page) => `/api/v1/${page}`);
  for (const path of ['/healthz', '/readyz', '/metrics', ...api]) {
    const { status, text } = await get(runtimeDir, path);
    t.equal(status, 200, path);
    for (const secret of secrets)
      t.notOk(secret === '' || text.includes(secret), `${path} contains no secret`);
  }
  await wire.ask({ free: { allocation: { name: 'frames' } } });
  wire.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('lists are returned in pages', async (t) => {
  const { runtimeDir } = await startDaemon(t, { policy: ANYBODY });
  const wires = await Promise.all(Array.from({ length: 7 }, () => HandoffWire.open(runtimeDir)));
  const [wire] = wires;
  if (!wire) throw new Error('no session');
  const ids: string[] = [];
  // Sent together, so that some have the same millisecond.
  for (let i = 0; i < 25; i += 1) wire.send({ allocate: { sizeBytes: PAGE, kinds } });
  for (let i = 0; i < 25; i += 1) ids.push((await wire.next()).message.allocate?.allocation?.id ?? '');
  const pagesOf = async (what: 'allocations' | 'sessions', limit: number, between = async () => {}) => {
    const pages: string[][] = [];
    for (let after: string | null = ''; after !== null; ) {
      const query: string = after === '' ? '' : `&after=${after}`;
      const answer = await get(runtimeDir, `/api/v1/${what}?limit=${limit}${query}`);
      pages.push(answer.json()[what].map(({ id }: { id: string }) => id));
      after = answer.json().next as string | null;
      await between();
    }
    return pages;
  };
  const pages = await pagesOf('allocations', 4);
  t.strictSame(
    pages.map((page) => page.length),
    [4, 4, 4, 4, 4, 4, 1],
  );
  t.strictSame(pages.flat().sort(), [...ids].sort(), 'each exactly once');
  t.strictSame(
    (await pagesOf('allocations', 5)).flat(),
    pages.flat(),
    'the order is the same for every page size',
  );
  t.strictSame(
    (await pagesOf('sessions', 7)).map((page) => page.length),
    [7],
    'a full page may be the last',
  );
  t.strictSame(
    (await pagesOf('sessions', 3)).flat(),
    wires.map(({ welcome }) => String(welcome.sessionId)),
    'oldest first',
  );
  // The entry that the cursor refers to is removed between two pages.
  const [first = []] = pages;
  const free = async () => {
    const id = first.pop();
    if (id) await wire.ask({ free: { allocation: { id } } });
  };
  const seen = (await pagesOf('allocations', 4, free)).flat();
  t.strictSame(
    pages
      .slice(1)
      .flat()
      .filter((id) => !seen.includes(id)),
    [],
    'entries that remain are listed although others are removed',
  );
  t.equal(new Set(seen).size, seen.length, 'and no entry twice');
  for (const each of wires) each.close();
  await assertNoLeaks(t, runtimeDir);
});

t.test('invalid requests are answered with a status and a code', async (t) => {
  const { runtimeDir } = await startDaemon(t);
  for (const [path, asking, status, code, next] of [
    ['/', {}, 404, 'NOT_FOUND', /^The pages are \/healthz, /],
    ['/api/v1', {}, 404, 'NOT_FOUND', /^The pages are \/healthz, /],
    ['/healthz/', {}, 404, 'NOT_FOUND', /^The pages are \/healthz, /],
    [`/${'x'.repeat(2000)}`, {}, 404, 'NOT_FOUND', /^The pages are \/healthz, /],
    ['/%zz', {}, 400, 'PROTOCOL_ERROR', /^Send a valid request of HTTP/],
    ['/metrics', { method: 'POST' }, 405, 'INVALID_ARGUMENT', /^Use GET;/],
    ['/api/v1/sessions', { method: 'DELETE' }, 405, 'INVALID_ARGUMENT', /^Use GET;/],
    [
      '/healthz',
      { headers: { 'content-length': '2' }, body: '{}' },
      400,
      'INVALID_ARGUMENT',
      /without a body/,
    ],
    [
      '/healthz',
      { headers: { 'transfer-encoding': 'chunked' }, body: 'x' },
      400,
      'INVALID_ARGUMENT',
      /without a body/,
    ],
    ['/api/v1/devices?verbose=1', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    ['/api/v1/allocations?limit=0', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    ['/api/v1/allocations?limit=501', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    ['/api/v1/allocations?limit=1&limit=2', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    ['/api/v1/allocations?after=1', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    ['/api/v1/sessions?after=-1', {}, 400, 'INVALID_ARGUMENT', /^limit is 1 to 500/],
    [
      '/healthz',
      { headers: { big: 'x'.repeat(9000) } },
      431,
      'PROTOCOL_ERROR',
      /^Send a valid request of HTTP/,
    ],
  ] as const) {
    const answer = await get(runtimeDir, path, asking);
    t.match([answer.status, answer.json()], [status, { code, message: /./, next }], `${path.slice(0, 40)}`);
  }
  const socket = connect(adminSocket(runtimeDir));
  socket.end('what is this\r\n\r\n');
  let said = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  await once(socket, 'close');
  t.match(said, /^HTTP\/1\.1 400 Bad Request\r\n.*"code":"PROTOCOL_ERROR"/s, 'bytes that are not HTTP');
});
