/**
 * Events of answered requests: without a subscriber nothing is done; a subscriber gets one event for each
 * request.
 */
import t from 'tap';
import { eventChannel, onEvent } from 'vkmemd/dist/memory/event-channel.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';
import { beginRequest, type RequestEvent, reportAnswer } from 'vkmemd/dist/requests/events.js';

const events = eventChannel<RequestEvent>('request');
const elsewhere = eventChannel<RequestEvent>('request');

t.test('without a subscriber no event is created', async (t) => {
  const one = beginRequest(events, 'handoff', 'claim');
  t.equal(one, beginRequest(events, 'control', 'GetBudget'), 'no event is created and no time taken');
  t.doesNotThrow(() => one('OK'));
});

t.test('a subscriber gets one event for each answered request', async (t) => {
  const reported: RequestEvent[] = [];
  const listening = onEvent(events, (event) => void reported.push(event));
  const others: RequestEvent[] = [];
  const besides = onEvent(elsewhere, (event) => void others.push(event));
  const answered = beginRequest(events, 'handoff', 'claim');
  t.strictSame(reported, [], 'no event for a request in progress');
  answered('BUSY', { identity: makeIdentity({ uid: 7, gid: 7, pid: 1, groups: [] }), session: undefined });
  reportAnswer(events, 'control', 'WatchBudget', 'OK');
  t.match(reported, [
    { plane: 'handoff', operation: 'claim', code: 'BUSY', tenant: 'uid:7', uid: 7, session: undefined },
    { plane: 'control', operation: 'WatchBudget', code: 'OK', uid: undefined, durationMs: undefined },
  ]);
  t.strictSame(others, [], 'the event has the caller');
  t.ok((reported[0]?.durationMs ?? -1) >= 0);
  listening[Symbol.dispose]();
  besides[Symbol.dispose]();
  reportAnswer(events, 'control', 'GetBudget', 'OK');
  answered('OK');
  t.equal(reported.length, 2, 'no events after unsubscribing');
});
