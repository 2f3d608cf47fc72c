/**
 * A process of another user that executes commands one after the other (tenant.ts). Argument: the runtime
 * folder. It has one session and one gRPC channel, and reads the memory that it is granted.
 */
import { closeSync, openSync } from 'node:fs';
import { type Decoded, errorOf, mapFd, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { HandoffWire } from './handoff-wire.js';
import type { Answer, Attempted, Attempts, Order, Seen } from './tenant.js';

const AT_ONCE = 100;

const [runtimeDir = ''] = process.argv.slice(2);
const wire = await HandoffWire.open(runtimeDir);
const control = new ControlWire(runtimeDir);
const watching = control.watchAllocations();

/** Tries the operations on the fd of a MAPPABLE grant, then closes it. */
function look(fd: OwnedFd): Seen {
  const seen = { text: '', write: 'served', reopen: 'served' };
  const attempt = (what: 'write' | 'reopen', work: () => void) => {
    try {
      work();
    } catch (failure) {
      const { code } = failure as NodeJS.ErrnoException;
      seen[what] = code ?? 'refused';
    }
  };
  const map = (access: 'rw' | 'ro') => mapFd(fd, { offset: 0n, length: 4096, access });
  attempt('write', () => map('rw').unmap());
  attempt('reopen', () => closeSync(openSync(`/proc/self/fd/${fd.fd}`, 'r+')));
  const read = map('ro');
  seen.text = Buffer.from(read.buffer).toString('latin1').replace(/\0+$/, '');
  read.unmap();
  fd.close();
  return seen;
}

/** Claims with one ticket many times at once, and immediately after with another ticket. */
async function attempt({ attempts: times, ticket, then }: Attempts): Promise<Attempted> {
  const answers = new Map<string, number>();
  let last: Decoded<'ServerMessage'> | undefined;
  for (let left = times; left > 0; left -= AT_ONCE) {
    const claims = Array.from({ length: Math.min(left, AT_ONCE) }, () => ticket);
    if (left <= AT_ONCE) claims.push(then);
    for (const each of claims) wire.send({ claim: { ticket: each } });
    for (const _ of claims) {
      const { message, fds } = await wire.next();
      for (const fd of fds) fd.close();
      if (message.sequence > (last?.sequence ?? 0n)) last = message;
      const what = message.error ? message.error.message : 'served';
      answers.set(what, (answers.get(what) ?? 0) + 1);
    }
  }
  return { answers, last: last?.error ? errorOf(last.error).metadata : undefined };
}

async function obey(order: Order): Promise<Answer> {
  if ('ask' in order) {
    const { message, fds } = await wire.ask(order.ask);
    return { message, seen: fds.map(look) };
  }
  if ('call' in order) return { answer: await control.call(order.call, order.request as never) };
  if ('attempts' in order) return { answer: await attempt(order) };
  return { answer: watching.reports };
}

process.on('message', (order: Order) => {
  if ('end' in order) {
    wire.close();
    watching.cancel();
    control.close();
    process.disconnect();
    return;
  }
  void obey(order)
    .catch((failure): Answer => {
      if (!(failure instanceof VkmemError)) throw failure;
      const { code, reason, message, next, metadata } = failure;
      return { failure: { code, reason, message, next, metadata: { ...metadata } } };
    })
    .then((answer) => process.send?.(answer));
});
process.send?.({ answer: 'ready' });
