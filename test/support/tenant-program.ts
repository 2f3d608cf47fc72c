/**
 * The program of a tenant (tenant.ts): opens a session, then executes each line of standard input and answers
 * each with one line, or with several where the line asks for several requests. It holds its grants until it
 * frees the memory or ends.
 *
 * Argument: the runtime folder.
 */
import { createInterface } from 'node:readline';
import { closeAll, type OwnedFd, VkmemError } from '@vkmemd/proto';
import { ControlWire } from './control-wire.js';
import { HandoffWire } from './handoff-wire.js';

const [runtimeDir = ''] = process.argv.slice(2);
const kinds = ['KIND_MAPPABLE'] as const;

const texts = (_key: string, value: unknown) => (typeof value === 'bigint' ? String(value) : value);

async function report(work: Promise<object>): Promise<void> {
  const answer = await work.catch((failure: unknown) => {
    if (!(failure instanceof VkmemError)) throw failure;
    const { code, reason, metadata } = failure;
    return { code, reason, metadata };
  });
  process.stdout.write(`${JSON.stringify(answer, texts)}\n`);
}

const opening = HandoffWire.open(runtimeDir);
await report(opening.then(() => ({})));
const wire = await opening.catch(() => process.exit());
const control = new ControlWire(runtimeDir);
const uid = process.getuid?.() ?? 0;
const held = new Map<string, OwnedFd[]>();

async function allocate(size: string, name = ''): Promise<object> {
  const request = { sizeBytes: BigInt(size), kinds, name, grantKinds: kinds };
  const { message, fds } = await wire.ask({ allocate: request });
  const id = message.allocate?.allocation?.id ?? '';
  held.set(id, fds);
  return { id };
}

async function free(id: string): Promise<object> {
  closeAll(held.get(id) ?? []);
  held.delete(id);
  const { message } = await wire.ask({ free: { allocation: { id } } });
  return { freed: message.free?.freed };
}

for await (const line of createInterface({ input: process.stdin })) {
  const [what, ...words] = JSON.parse(line) as string[];
  const [first = ''] = words;
  if (what === 'allocate') await report(allocate(first, words[1]));
  else if (what === 'together') {
    const named = words.map((size, at) => ({ sizeBytes: BigInt(size), kinds, name: `together-${at}` }));
    await Promise.all(named.map((request) => report(control.call('Allocate', request).then(() => ({})))));
  } else if (what === 'free') await report(free(first));
  else if (what === 'quota') await report(control.call('GetQuota', first ? { uid: Number(first) } : {}));
  else if (what === 'list') await report(control.call('ListQuotas', {}));
  else await report(control.call('SetQuota', { uid, expectedRevision: 1n, sessions: 100 }));
}
