/**
 * A program that `vkmemctl exec` runs: connects to its session, writes to the memory that was allocated for
 * it, and prints what it inherited. Then it waits until its standard input ends; on SIGTERM it exits with 5.
 * Usage: inheriting-program.js [LABEL BYTE]
 */
import { readdirSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { connect, VkmemError } from '@vkmemd/client';

const [label, byte] = process.argv.slice(2);
process.on('SIGTERM', () => process.exit(5));

const codeOf = (failure: unknown): string => (failure instanceof VkmemError ? failure.code : String(failure));
const list = (folder: string): string[] | string => {
  try {
    return readdirSync(folder);
  } catch (failure) {
    return String((failure as NodeJS.ErrnoException).code);
  }
};

const environment = { ...process.env };
const client = await connect({ clientName: 'inheriting' });
const allocations = Object.fromEntries(client.inherited);
if (label !== undefined) {
  const memory = await client.claim({ id: client.inherited.get(label) ?? '' });
  memory.map().bytes.fill(Number(byte));
}
const second = await connect().then(
  async (other) => {
    await other.close();
    return 'connected';
  },
  (failure: unknown) => codeOf(failure),
);
const result = {
  pid: process.pid,
  session: String(client.session.id),
  inherited: client.session.inherited,
  allocations,
  second,
  left: Object.keys(process.env).filter((name) => name.startsWith('VKMEM_')),
  budget: await client.budget().then(({ counts }) => counts.sessions, codeOf),
  environment,
  root: list('/'),
  etc: list('/etc'),
  tmp: list('/tmp'),
  processes: list('/proc'),
  interfaces: Object.keys(networkInterfaces()),
  cwd: process.cwd(),
};
process.stdout.write(`${JSON.stringify(result)}\n`);
for await (const _ of process.stdin);
await client.close();
