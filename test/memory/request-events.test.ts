/**
 * What is told of answered requests: nothing is done where nobody listens, and whoever listens is told once of each.
 */
import t from 'tap';
import type { Domain } from 'vkmemd/dist/memory/domain.js';
import { beginRequest, onRequest, publishRequest, type RequestEvent } from 'vkmemd/dist/requests/events.js';

const domain = {} as Domain;

t.test('nobody listens', async (t) => {
  const one = beginRequest(domain, 'handoff', 'claim');
  t.equal(one, beginRequest(domain, 'control', 'GetBudget'), 'nothing is made, and no time taken');
  t.doesNotThrow(() => one('OK'));
});

t.test('somebody does', async (t) => {
  const told: RequestEvent[] = [];
  const stop = onRequest((event) => told.push(event));
  const answered = beginRequest(domain, 'handoff', 'claim');
  t.strictSame(told, [], 'a request that is under way is none yet');
  answered('BUSY', { identity: { uid: 7, gid: 7, pid: 1, groups: [] }, session: undefined });
  publishRequest(domain, 'control', 'WatchBudget', 'OK');
  t.match(told, [
    { plane: 'handoff', operation: 'claim', code: 'BUSY', uid: 7, session: undefined },
    { plane: 'control', operation: 'WatchBudget', code: 'OK', uid: undefined, durationMs: undefined },
  ]);
  t.equal(told[0]?.domain, domain, 'whose it is');
  t.ok((told[0]?.durationMs ?? -1) >= 0);
  stop();
  publishRequest(domain, 'control', 'GetBudget', 'OK');
  answered('OK');
  t.equal(told.length, 2, 'not any more');
});
