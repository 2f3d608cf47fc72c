/**
 * vkmemd: the composition root. Joins the device, the domain and the planes, says so in one line, and takes them
 * apart again in the opposite order.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { asVkmemError, setMostPendingCloses } from '@vkmemd/proto';
import { pino } from 'pino';
import { ControlServer } from './control/server.js';
import { HandoffServer } from './handoff/server.js';
import { Hangups } from './hangups.js';
import { FdBudget, openFiles } from './limits/fd-budget.js';
import { Domain } from './memory/domain.js';
import { releaseEverything } from './memory/lifetime.js';
import { Recovery } from './memory/recovery.js';
import { requireReservable } from './memory/reservations.js';
import { type Options, parseOptions, version } from './options.js';
import { parseApart } from './policy/apart.js';
import { checkPolicy } from './policy/check.js';
import { findingText, PolicyError } from './policy/findings.js';
import { loadPolicy } from './policy/load.js';
import type { Policy } from './policy/policy.js';
import { RuntimeFolder } from './runtime-folder.js';
import { Notifier } from './systemd/notify.js';
import { Device } from './vulkan/device.js';

const MOST_LOG_BYTES = 1 << 20;
const LOG_FLUSH_MS = 500;
/** Of a policy's faults in one line of the log, which is dropped where it is larger than MOST_LOG_BYTES. */
const MOST_LOGGED_FAULTS = 100;

/** A daemon that serves, until stop() has taken it apart. */
interface Running {
  readonly line: string;
  /** Reads the policy again. @throws PolicyError, with the old one in force. */
  reload(): Promise<Policy>;
  stop(): Promise<void>;
}

async function start(options: Options, log: pino.Logger): Promise<Running> {
  const readPolicy = async (...where: [typeof parseApart?]) => {
    const { policy, warnings } = await loadPolicy(options.policy, ...where);
    for (const warning of warnings) log.warn(`the policy: ${findingText(warning)}`);
    return policy;
  };
  // Before anything is opened: with a policy that has a fault nothing is begun.
  const policy = await readPolicy();
  const folder = RuntimeFolder.claim(options.runtimeDir);
  const undo: (() => Promise<void> | void)[] = [() => folder.release()];
  const stop = async () => {
    const failures: unknown[] = [];
    for (const step of undo.splice(0).reverse()) {
      await Promise.resolve()
        .then(step)
        .catch((failure) => failures.push(failure));
    }
    if (failures.length > 0) throw new AggregateError(failures, 'not everything could be taken apart');
  };
  try {
    const device = await Device.open(options.device);
    undo.push(() => device.close());
    const events = {
      fault: (what: string, cause: unknown) => log.error({ err: cause }, what),
      note: (what: string) => log.warn(what),
    };
    const { heaps } = device.info;
    const reservable = (read: Policy) => {
      requireReservable(read, heaps);
      return read;
    };
    const fds = new FdBudget(openFiles(), policy.limits.reservedFds);
    setMostPendingCloses(fds.mostPendingCloses);
    log.info({ fds: fds.capacity, sessions: fds.mostSessions }, 'what RLIMIT_NOFILE allows at most');
    const domain = new Domain(
      device,
      version(),
      { policy: reservable(policy), readPolicy: async () => reservable(await readPolicy(parseApart)), fds },
      events,
    );
    domain.authority.onReplaced(({ files, rules }) => {
      log.info({ files, rules: rules.length }, 'the policy was read again and is in force');
    });
    undo.push(() => releaseEverything(domain));
    const recovery = new Recovery(domain);
    undo.push(() => recovery.stop());
    const handoff = new HandoffServer(domain, folder.handoffSocket);
    undo.push(() => handoff.close());
    const control = new ControlServer(domain, folder.controlSocket);
    undo.push(() => control.close());
    undo.push(() => handoff.stopAccepting());
    return { line: startLine(domain, folder), reload: () => domain.reload.run(), stop };
  } catch (failure) {
    await stop().catch((rest) => log.error({ err: rest }, 'after a failed start'));
    throw failure;
  }
}

function startLine({ device, version }: Domain, folder: RuntimeFolder): string {
  const { name, type, driverName, driverInfo } = device.info;
  const driver = [driverName, driverInfo].filter(Boolean).join(' ');
  const kinds = [...device.kinds].map(([kind, { rung }]) => `${kind} ${rung}`);
  const sockets = `sockets ${folder.handoffSocket} ${folder.controlSocket}`;
  return `vkmemd ${version} ready: device ${name} (${type}); driver ${driver}; ${sockets}; kinds ${kinds.join(', ')}`;
}

/** Resolves with the first SIGTERM or SIGINT, whenever it comes; later ones change nothing. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
}

/** What went wrong, a line each: a policy may have several faults. */
function faultsOf(failure: unknown): string[] {
  const { code, reason, message } = asVkmemError(failure);
  const faults =
    failure instanceof PolicyError ? failure.findings.faults.map(findingText) : [reason || message];
  return faults.map((fault) => `${code}: ${fault}`);
}

async function run(options: Options, log: pino.Logger): Promise<void> {
  const signalled = stopSignal();
  const hangups = new Hangups();
  const notifier = await Notifier.fromEnvironment(process.env);
  // A manager that does not listen is no reason to leave the clients.
  const notify = (...lines: string[]) => {
    try {
      notifier?.send(...lines);
    } catch (failure) {
      log.warn({ err: failure }, 'the service manager was not told');
    }
  };
  const running = await start(options, log);
  process.stdout.on('error', (failure) => log.warn({ err: failure }, 'nobody reads the start line'));
  process.stdout.write(`${running.line}\n`);
  notify('READY=1', `STATUS=${running.line}`);
  const failed = (failure: unknown) => {
    const cause = failure instanceof PolicyError ? {} : { err: failure };
    const faults = faultsOf(failure);
    const [count, shown] = [faults.length, faults.slice(0, MOST_LOGGED_FAULTS)];
    log.error({ count, faults: shown, ...cause }, 'the policy was not replaced: the one before it stays');
  };
  hangups.serve({ reload: running.reload, failed, notify, status: running.line });
  log.info({ signal: await signalled }, 'stopping');
  hangups.close();
  notify('STOPPING=1');
  await running.stop();
  log.info('stopped');
}

const options = parseOptions(process.argv.slice(2));
if (options.checkConfig) {
  const { well, object, lines } = await checkPolicy(options.policy);
  const text = options.checkConfig === 'json' ? JSON.stringify(object) : lines.join('\n');
  // Whoever reads may have seen enough: the exit status says the rest.
  process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
    if (failure.code !== 'EPIPE') throw failure;
  });
  await new Promise((resolve) => process.stdout.write(`${text}\n`, resolve));
  process.exit(well ? 0 : 1);
}
// Never waits for whoever reads the log: what does not fit is dropped.
const logFile = pino.destination({ dest: 2, sync: false, maxLength: MOST_LOG_BYTES });
const log = pino({ name: 'vkmemd', level: options.logLevel }, logFile);
try {
  await run(options, log);
} catch (failure) {
  log.debug({ err: failure }, 'failed');
  for (const fault of faultsOf(failure)) process.stderr.write(`vkmemd: ${fault}\n`);
  process.exitCode = 1;
}
logFile.end();
await Promise.race([once(logFile, 'close'), setTimeout(LOG_FLUSH_MS)]);
process.exit();
