/**
 * A client that has no fd left when answers with fds arrive. Prints what each request came to, and what is left.
 * Usage: few-fds-program.js RUNTIME_DIR, with a low RLIMIT_NOFILE.
 */
import { closeSync, openSync } from 'node:fs';
import { connect, type VkmemError } from '@vkmemd/client';

const PAGE = 4096;
await using client = await connect({ runtimeDir: process.argv[2] ?? '', clientName: 'few fds' });
const before = client.session.id;
const memory = await client.allocate({ size: PAGE, name: 'mine' });
using map = memory.map();
map.bytes.fill(7);
await client.allocate({ size: PAGE, name: 'offered' });
const counts = async () => (await client.budget()).counts;
const at = await counts();

const filler: number[] = [];
try {
  for (;;) filler.push(openSync('/dev/null', 'r'));
} catch {}

const requests = {
  allocate: () => client.allocate({ size: PAGE }),
  'allocate a name': () => client.allocate({ size: PAGE, name: 'new' }),
  claim: () => client.claim({ name: 'mine' }, { access: 'ro' }),
  signal: () => client.signals.create(),
  'allocate many': () => client.allocateMany(Array.from({ length: 400 }, () => ({ size: PAGE }))),
  'claim many': () => client.claimMany(Array.from({ length: 400 }, () => ({ name: 'mine', access: 'ro' }))),
};
const results: Record<string, unknown> = {};
await Promise.all(
  Object.entries(requests).map(async ([name, request]) => {
    results[name] = await request().then(
      () => 'served',
      (failure: VkmemError) => [failure.code, failure.metadata.whose, failure.message],
    );
  }),
);
for (const fd of filler) closeSync(fd);
const now = await counts();
await client.allocate({ size: PAGE, name: 'later' });
const list = (await client.list()).map(({ name }) => name).sort();
console.log(
  JSON.stringify({
    results,
    same: client.session.id === before,
    counts: [at, now],
    list,
    byte: map.bytes[0],
  }),
);
