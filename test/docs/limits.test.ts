/**
 * docs/limits.md: its numbers are those of the program. The table of the policy's limits is in docs/policy.md.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { CALLS_PER_TURN } from 'vkmemd/dist/callers/calls.js';
import { ANSWER_MS, MAX_BYTES, MAX_OF_TENANT, REQUEST_MS } from 'vkmemd/dist/front/held-bytes.js';
import { REQUESTS_PER_TICK } from 'vkmemd/dist/handoff/admission.js';
import { MIN_IN_FLIGHT } from 'vkmemd/dist/limits/in-flight-fds.js';
import { SLICE_MS } from 'vkmemd/dist/limits/slices.js';
import { ENDS_PER_TURN } from 'vkmemd/dist/memory/grant/claim-queue.js';
import { MAX_GRANTS } from 'vkmemd/dist/memory/grant/grants.js';
import { DEFAULT_LIMITS } from 'vkmemd/dist/policy/limits.js';
import { root } from '../support/daemon.js';

const page = readFileSync(join(root, 'docs/limits.md'), 'utf8').replace(/\s+/g, ' ');

t.test('the calculations of the page use the current constants', async (t) => {
  t.match(page, `each session has room for ${MIN_IN_FLIGHT},`);
  t.match(page, `LimitNOFILE=${DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT}`);
  const unit = readFileSync(join(root, 'systemd/vkmemd.service'), 'utf8');
  const max = Number(/^LimitNOFILE=(\d+)$/m.exec(unit)?.[1]);
  t.ok(max >= DEFAULT_LIMITS.sessions * MIN_IN_FLIGHT, 'LimitNOFILE is enough for all sessions');
});

t.test('the numbers of the page are those of the program', async (t) => {
  t.match(
    page,
    `In one pass of the event loop ${REQUESTS_PER_TICK} requests of a user and ${CALLS_PER_TURN} calls`,
  );
  t.match(page, `The front holds at most ${MAX_BYTES >> 20} MiB of requests`);
  t.equal(MAX_OF_TENANT, (MAX_BYTES * 3) / 4, 'three quarters of it for one tenant');
  t.match(page, `not complete within ${REQUEST_MS / 1000} s`);
  t.match(page, `not taken within ${ANSWER_MS / 1000} s`);
  t.match(page, `in slices of ${SLICE_MS} ms`);
  t.match(page, `answered ${ENDS_PER_TURN} at a time`);
  t.match(page, `There are at most ${MAX_GRANTS.toLocaleString('en').replace(',', ' ')}, shared`);
  const native = (file: string, name: string): string => {
    const source = readFileSync(join(root, `proto/native/${file}.h`), 'utf8');
    return new RegExp(`constexpr size_t ${name} = (\\d+);`).exec(source)?.[1] ?? 'unknown';
  };
  const [threads, ofUser] = [native('reaper', 'kMaxThreads'), native('reaper', 'kMaxOfUser')];
  t.match(page, `At most ${ofUser} threads of ${threads} `);
  t.match(page, `(${native('closers', 'kMaxSockets')} sockets each)`);
});
