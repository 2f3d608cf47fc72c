/**
 * Load on the handoff socket: sessions that claim and release without a pause, until standard input ends.
 * Then prints, as JSON, how long each request waited, and how long the echoes of an idle process took
 * meanwhile: what delays those delays requests as well, and is the machine's.
 *
 * Arguments: the runtime folder, the number of sessions.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Connection, closeAll, seqpacketPair } from '@vkmemd/proto';
import { HandoffWire } from '../../support/handoff-wire.js';

/** One wait: when it began, in milliseconds since 1970, and how long it took, in milliseconds. */
export type Wait = readonly [atMs: number, ms: number];

export interface LoadReport {
  readonly requests: readonly Wait[];
  readonly echoes: readonly Wait[];
  /** What failed. */
  readonly failures: readonly string[];
}

const PAUSE_MS = 2;
const kinds = ['KIND_MAPPABLE'] as const;
const [runtimeDir = '', count = '1'] = process.argv.slice(2);
const requests: Wait[] = [];
const echoes: Wait[] = [];
const failures: string[] = [];
let ending = false;

async function timed<T>(waits: Wait[], work: () => Promise<T>): Promise<T> {
  const [at, began] = [Date.now(), performance.now()];
  const result = await work();
  waits.push([at, performance.now() - began]);
  return result;
}

/** An idle process, which answers at once. */
function openEcho(): () => Promise<void> {
  const [mine, its] = seqpacketPair();
  const program = fileURLToPath(new URL('../../chaos/programs/echo.js', import.meta.url));
  spawn(process.execPath, [program], { stdio: ['ignore', 'ignore', 'inherit', its.fd] }).unref();
  its.close();
  let answered = (): void => {};
  const connection = new Connection(mine, { message: () => answered(), close() {} });
  return () =>
    new Promise((resolve) => {
      answered = resolve;
      connection.send(Buffer.alloc(64));
    });
}

async function work(): Promise<void> {
  const wire = await HandoffWire.open(runtimeDir);
  const { message, fds } = await wire.ask({ allocate: { sizeBytes: 65_536n, kinds } });
  closeAll(fds);
  const id = message.allocate?.allocation?.id ?? '';
  while (!ending) {
    try {
      const claimed = await timed(requests, () => wire.ask({ claim: { allocation: { id }, kinds } }));
      closeAll(claimed.fds);
      const grantId = claimed.message.claim?.grants[0]?.id ?? 0n;
      await timed(requests, () => wire.ask({ release: { grantId } }));
    } catch (failure) {
      failures.push(String(failure));
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
  await wire.ask({ free: { allocation: { id } } });
  wire.close();
}

async function listen(echo: () => Promise<void>): Promise<void> {
  for (; !ending; await new Promise((resolve) => setTimeout(resolve, PAUSE_MS))) await timed(echoes, echo);
}

process.stdin.resume().once('end', () => {
  ending = true;
});
const echo = openEcho();
// Their code is compiled.
for (let round = 0; round < 200; round += 1) await echo();
process.stdout.write('ready\n');
await Promise.all([listen(echo), ...Array.from({ length: Number(count) }, work)]);
const report: LoadReport = { requests, echoes, failures };
process.stdout.write(JSON.stringify(report), () => process.exit(0));
