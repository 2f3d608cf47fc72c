/**
 * A client that is killed by the test: executes allocate, map, claim, release and free up to the step in its
 * argument, prints the step and waits. `allocate-sent` and similar steps have sent a request and not waited
 * for its answer; `looping` allocates forever; `inherited` leaves its socket to a child that outlives it.
 *
 * Arguments: the runtime folder, the step.
 */
import { spawn } from 'node:child_process';
import { fstatSync, readdirSync } from 'node:fs';
import { mapFd } from '@vkmemd/proto';
import { HandoffWire, type Received } from './handoff-wire.js';

const [runtimeDir = '', step = ''] = process.argv.slice(2);
const kinds = ['KIND_MAPPABLE'] as const;
const REQUEST = { sizeBytes: 65_536n, kinds, grantKinds: kinds };

/** Prints that the client has reached a step. At the last step, never returns. */
async function at(name: string): Promise<void> {
  if (name !== step) return;
  process.stdout.write(`${name}\n`);
  await new Promise(() => setInterval(() => {}, 1000));
}

function mapFirst({ message, fds }: Received): { id: string; grantId: bigint; bytes: Uint8Array } {
  const grant = message.allocate?.grants[0] ?? message.claim?.grants[0];
  if (!grant || !fds[0]) throw new Error('no grant');
  const mapping = mapFd(fds[0], { offset: 0n, length: 65_536, access: 'rw' });
  fds[0].close();
  return { id: grant.allocationId, grantId: grant.id, bytes: new Uint8Array(mapping.buffer) };
}

function isSocket(fd: number): boolean {
  try {
    return fstatSync(fd).isSocket();
  } catch {
    return false; // the fd of the folder listing itself, closed by now
  }
}

const raw = new HandoffWire(runtimeDir);
await at('connected');
raw.close();

const wire = await HandoffWire.open(runtimeDir);
await at('greeted');
if (step === 'allocate-sent') {
  wire.send({ allocate: REQUEST });
  await at('allocate-sent');
}
if (step === 'looping') process.stdout.write('looping\n');
while (step === 'looping') {
  const { bytes } = mapFirst(await wire.ask({ allocate: REQUEST }));
  bytes.fill(1);
}
if (step === 'allocated') {
  wire.send({ allocate: REQUEST });
  await new Promise((resolve) => setTimeout(resolve, 200));
  await at('allocated');
}
const first = await wire.ask({ allocate: REQUEST });
await at('received');
const own = mapFirst(first);
await at('mapped');
own.bytes.fill(7);
await at('written');
if (step === 'inherited') {
  // The child inherits every socket of this process, and nothing else.
  const sockets = readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd > 2 && isSocket(fd));
  spawn('sleep', ['20'], { stdio: ['ignore', 'ignore', 'ignore', ...sockets], detached: true }).unref();
  await at('inherited');
}
const claim = { allocation: { id: own.id }, kinds };
if (step === 'claim-sent') {
  wire.send({ claim });
  await at('claim-sent');
}
const second = mapFirst(await wire.ask({ claim }));
await at('claimed');
if (step === 'release-sent') {
  wire.send({ release: { grantId: second.grantId } });
  await at('release-sent');
}
wire.send({ free: { allocation: { id: own.id } } });
await at('free-sent');
throw new Error(`there is no step ${step}`);
