/**
 * Claims of 64 clients at once: how many the daemon, alone on its processor, serves in its processor time, beside what
 * the server in C does. The clients, one process in C (crowd.c), are on another processor where there is one. Processor
 * time, because the server in C can be faster than its clients.
 */
import { join } from 'node:path';
import { AsyncDisposableStack, HANDOFF_SOCKET } from '@vkmemd/proto';
import { compile } from '../compile.js';
import { processorTime } from '../daemon.js';
import { ownedMemory } from '../operations/claimed.js';
import { Program } from '../program.js';
import { median, rounded } from '../samples.js';
import { type Measurement, startDaemon } from './measurement.js';

const CLIENTS = 64;
const NAME = 'crowd';

/** A server and its clients. */
interface Side {
  readonly clients: Program;
  /** The processor time that the server has used, in microseconds. */
  readonly used: () => number;
  /** Of each round: of one claim in microseconds, and claims in a second. */
  readonly costs: number[];
  readonly rates: number[];
}

async function round({ clients, used, costs, rates }: Side, claims: number): Promise<void> {
  const before = used();
  clients.write(String(claims));
  const nanoseconds = Number(await clients.line());
  costs.push((used() - before) / claims);
  rates.push((claims / nanoseconds) * 1e9);
}

export const measureCrowd: Measurement = async (conditions) => {
  const { folder, bytes, quick, other } = conditions;
  await using opened = new AsyncDisposableStack();
  const program = compile('crowd', folder);
  const start = async (...args: readonly (string | number)[]): Promise<Program> => {
    const serves = args[0] === 'serve';
    const started = Program.start(program, args.map(String), serves ? {} : { processor: other });
    opened.defer(() => (serves ? started.terminate() : started.end()));
    await started.line();
    return started;
  };
  const socket = join(folder, 'crowd.sock');
  const server = await start('serve', socket, bytes, CLIENTS);
  const daemon = opened.use(await startDaemon(conditions));
  opened.use(await ownedMemory({ runtimeDir: daemon.runtimeDir, bytes }, NAME));
  const inC: Side = {
    clients: await start('floor', socket, CLIENTS),
    used: () => processorTime(server.pid),
    costs: [],
    rates: [],
  };
  const own: Side = {
    clients: await start('claim', join(daemon.runtimeDir, HANDOFF_SOCKET), CLIENTS, NAME),
    used: () => daemon.processorTime,
    costs: [],
    rates: [],
  };
  const [warmUp, rounds, claims] = quick ? [0, 2, 200] : [4, 10, 5000];
  for (let at = 0; at < warmUp + rounds; at += 1) for (const side of [inC, own]) await round(side, claims);
  const middle = (values: readonly number[]) => median(values.slice(warmUp));
  const figures = ({ costs, rates }: Side) => ({
    processorMicroseconds: rounded(middle(costs)),
    perSecond: Math.round(middle(rates)),
  });
  return {
    values: { requestsPerCpu: middle(inC.costs) / middle(own.costs) },
    details: { inC: figures(inC), daemon: figures(own) },
  };
};
