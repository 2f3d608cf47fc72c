/**
 * docs/protocol.md is enough to write a client: one that was written from it, and shares no code with ours,
 * gets memory from a real daemon. Its numbers are the contract's, and the table of docs/errors.md is the
 * catalogue.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '@vkmemd/client';
import {
  ALLOCATIONS_VARIABLE,
  CATALOGUE,
  ERROR_DOMAIN,
  GrpcCode,
  HANDOFF_SOCKET,
  MAX_MANY,
  MAX_MESSAGE_BYTES,
  MAX_MESSAGE_FDS,
  MAX_SOCKET_PATH_BYTES,
  PROTOCOL_VERSION,
  REQUESTS,
  requestsOf,
  SESSION_FD_VARIABLE,
  SESSION_METADATA,
  STATUS_METADATA,
  VERSION_METADATA,
} from '@vkmemd/proto';
import t from 'tap';
import { MIN_IN_FLIGHT } from 'vkmemd/dist/limits/in-flight-fds.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { executed } from '../cli/support.js';
import { plainEnvironment, root, startDaemon } from '../support/daemon.js';

/** A page, without the padding of its tables. */
const pageOf = (name: string) => readFileSync(join(root, 'docs', name), 'utf8').replace(/ +\|/g, ' |');
const page = pageOf('protocol.md');
const PROGRAM = join(root, 'test/docs/independent_client.py');
const SHARER = join(root, 'test/docs/independent_sharer.py');
const INHERITOR = join(root, 'test/docs/independent_inheritor.py');

t.test('the table of errors equals the catalogue', async (t) => {
  const rows = [...pageOf('errors.md').matchAll(/^\| `([A-Z_]+)` \| (\d+) ([A-Z_]+) \| (.*) \|$/gm)];
  const reported = rows.map(([, code, number, status, sentence]) => ({ code, number, status, sentence }));
  const statusName = (grpc: number) => Object.entries(GrpcCode).find(([, number]) => number === grpc)?.[0];
  const catalogue = Object.entries(CATALOGUE).map(([code, { grpc, sentence }]) => ({
    code,
    number: String(grpc),
    status: statusName(grpc),
    sentence,
  }));
  t.strictSame(reported, catalogue, 'every code, in order, with its status and its description');
});

t.test('the numbers and names equal those of the contract', async (t) => {
  const grouped = (bytes: number) => String(bytes).replace(/\B(?=(?:\d{3})+$)/g, ' ');
  const limits = DEFAULT_LIMITS;
  for (const text of [
    `The handoff protocol, version ${PROTOCOL_VERSION}`,
    `| 1 to ${grouped(MAX_MESSAGE_BYTES)} |`,
    `at most ${MAX_MESSAGE_FDS}, one for each kind; ${MAX_MANY} in a part of`,
    `AllocateMany and ClaimMany ${grouped(REQUESTS.ClaimMany.repeated)} |`,
    `${REQUESTS.ClaimMany.depth} in AllocateMany and ClaimMany |`,
    `have 1 to ${MAX_MANY} requests`,
    `at most ${MAX_SOCKET_PATH_BYTES} bytes`,
    `| requests under way on a connection | ${limits.messagesInFlight};`,
    `| ${grouped(limits.requestsPerSecond)}, and ${grouped(limits.requestBurst)} at once;`,
    `| file descriptors on their way to you | ${limits.fdsInFlight}, or ${MIN_IN_FLIGHT} `,
    `| ${limits.queuedMessages} messages, ${limits.queuedBytes >> 20} MiB;`,
    `| time for Hello, from \`connect()\` | ${limits.handshakeMs / 1000} s |`,
    `at most ${limits.controlConnectionsOfUser} connections`,
    `\`${HANDOFF_SOCKET}\``,
    `\`${SESSION_METADATA}\``,
    `\`${VERSION_METADATA}\``,
    `\`${STATUS_METADATA}\``,
    `\`domain\` \`${ERROR_DOMAIN}\``,
    `\`${SESSION_FD_VARIABLE}\``,
    `\`${ALLOCATIONS_VARIABLE}\``,
  ]) {
    t.ok(page.includes(text), JSON.stringify(text));
  }
});

/** As the page has it: a field of the message in the schema. */
const fieldOf = (body: string) => body.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

t.test('every request of the handoff socket is described, and has a row for a lost connection', async (t) => {
  const [, section = ''] = /^## After a lost connection$(.*?)^## /ms.exec(page) ?? [];
  const actions = new Map(
    [...section.matchAll(/^\| (`.*?`) \| (.*?) \|$/gm)].flatMap(([, names = '', action = '']) =>
      names.split(', ').map((name) => [name.replaceAll('`', ''), action]),
    ),
  );
  const requests = requestsOf('handoff');
  const fields = requests.map(([, { body }]) => fieldOf(body ?? ''));
  t.strictSame([...actions.keys()].sort(), fields.sort(), 'each once, and no other');
  for (const [name, { body = '', repeat }] of requests) {
    t.match(page, new RegExp(`\\*\\*${name}\\*\\*`), `${name} is described`);
    const action = actions.get(fieldOf(body)) ?? '';
    // What the library repeats, others may repeat too.
    if (repeat !== 'never') t.match(action, /^Repeat|^Leave the grant out/, `${name}: ${repeat}`);
  }
});

const python = spawnSync('python3', ['--version']);
const noPython = python.error ? `no python3 here: ${python.error.message}` : false;

t.test('a client written from the page alone gets memory', { skip: noPython }, async (t) => {
  const { runtimeDir } = await startDaemon(t);
  const env = { ...process.env, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stdout, stderr } = spawnSync('python3', [PROGRAM, join(runtimeDir, HANDOFF_SOCKET)], {
    env,
    encoding: 'utf8',
    timeout: 30_000,
  });
  t.equal(status, 0, `exit code 0 ${stderr}`);

  t.strictSame(JSON.parse(stdout || '{}'), {
    version: PROTOCOL_VERSION,
    same_incarnation: true,
    size: 12_288,
    zeroed: true,
    // It runs as the daemon's user, which can reopen the memfd for writing.
    read_only: 'ADVISORY',
    read: 'bytes',
    write_refused: true,
    name_taken: 'NAME_TAKEN',
    not_found: 'NOT_FOUND',
    freed: true,
    dropped_by_free: 'NOT_FOUND',
    before_hello: 'PROTOCOL_ERROR',
    hung_up: true,
  });
});

t.test(
  'a client written from the page alone uses tickets, write locks and publishing',
  { skip: noPython },
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    const { status, stdout, stderr } = spawnSync(
      'python3',
      ['-B', SHARER, join(runtimeDir, HANDOFF_SOCKET)],
      {
        encoding: 'utf8',
        timeout: 30_000,
      },
    );
    t.equal(status, 0, `exit code 0 ${stderr}`);
    t.strictSame(JSON.parse(stdout || '{}'), {
      more_than_it_gives: 'NOT_PERMITTED',
      by_ticket: 'seen',
      used_up: 'TICKET_INVALID',
      revoked: 'TICKET_INVALID',
      revoked_twice: 'NOT_FOUND',
      published: true,
      to_write: 'PUBLISHED',
      strength: 'ENFORCED',
      old_view: 'late',
      refused: 'BUSY',
      waited_in_vain: 'BUSY',
      granted_in_turn: true,
      unpublishable: 'NOT_PUBLISHABLE',
    });
  },
);

const sandbox = spawnSync('bwrap', ['--ro-bind', '/', '/', '/usr/bin/python3', '--version']);
const noSandbox = sandbox.status === 0 ? false : 'bwrap or /usr/bin/python3 cannot be run here';

t.test(
  'a client written from the page alone uses an inherited session',
  { skip: noPython || noSandbox },
  async (t) => {
    const { runtimeDir } = await startDaemon(t);
    const allocate = ['--allocate', 'name=frames,size=8K', '--allocate', 'name=own,size=4K,lifetime=session'];
    const shown = ['--sandbox', '--ro', join(root, 'test/docs')];
    for (const [text, options] of [
      ['open', allocate],
      ['shut', [...shown, ...allocate]],
    ] as const) {
      const command = ['--', '/usr/bin/python3', '-B', INHERITOR, text];
      const { code, stdout, stderr } = await executed(
        runtimeDir,
        [...options, ...command],
        plainEnvironment(),
      );
      t.equal(code, 0, `exit code 0 ${stderr}`);
      const seen = { version: PROTOCOL_VERSION, written: ['frames', 'own'], again: false };
      t.match(JSON.parse(stdout || '{}'), seen, text);
      await using client = await connect({ runtimeDir });
      const memory = await client.claim({ name: 'frames' });
      t.equal(Buffer.from(memory.map().bytes.subarray(0, 4)).toString(), text, 'its bytes are in the memory');
      await memory.free();
    }
  },
);
