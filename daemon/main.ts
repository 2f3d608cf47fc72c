/**
 * vkmemd: the composition root. Joins the device, the domain and the planes, says so in one line, and takes them
 * apart again in the opposite order.
 */
import { release } from 'node:os';
import { asVkmemError, setMostPendingCloses, uuidText } from '@vkmemd/proto';
import type { pino } from 'pino';
import { parseListenAddress } from './admin/listen-address.js';
import { AdminServer } from './admin/server.js';
import { ControlServer } from './control/server.js';
import { HandoffServer } from './handoff/server.js';
import { type InheritedResources, inheritResources } from './inherited-resources.js';
import { answerInquiry } from './inquiry.js';
import { IvshmemPlane } from './ivshmem/server.js';
import { FdBudget, openFiles } from './limits/fd-budget.js';
import { requireReservable } from './memory/accounting/reservations.js';
import { DegradedRetry } from './memory/allocation/degraded.js';
import { leaveEverything, releaseEverything } from './memory/allocation/draining.js';
import { Recovery } from './memory/allocation/recovery.js';
import { Domain } from './memory/domain.js';
import { type Options, parseOptions, version } from './options.js';
import { parseApart } from './policy/apart.js';
import { findingText, PolicyError } from './policy/findings.js';
import { loadPolicy } from './policy/load.js';
import type { Policy } from './policy/policy.js';
import { hasPeerPidfd } from './policy/warnings.js';
import { RuntimeFolder } from './runtime-folder.js';
import { SighupHandler } from './sighup.js';
import { PersistentState } from './store/persistent-state.js';
import { logHappenings } from './systemd/happenings.js';
import { type Log, openLog } from './systemd/log.js';
import { Manager } from './systemd/manager.js';
import { Device } from './vulkan/device.js';

/** EX_CONFIG of sysexits.h: the same policy would be refused again. */
const EX_CONFIG = 78;
/** Of a policy's faults in one line of the log, which is dropped, or cut, where it is too long. */
const MAX_LOGGED_FAULTS = 100;

/** A daemon that serves, until stop() has taken it apart. */
interface Running {
  readonly line: string;
  readonly domain: Domain;
  /** Reads the policy again. @throws PolicyError, with the old one in force. */
  reload(): Promise<Policy>;
  stop(): Promise<void>;
}

/** @param handed taken over. */
async function start(options: Options, logger: pino.Logger, handed: InheritedResources): Promise<Running> {
  const { activation, store, kept } = handed;
  const socketGroups = activation.groups(process.getegid?.() ?? -1);
  const readPolicy = async (...where: [typeof parseApart?]) => {
    const { policy, warnings } = await loadPolicy({ ...options.policy, socketGroups }, ...where);
    for (const warning of warnings) logger.warn(`the policy: ${findingText(warning)}`);
    return policy;
  };
  // Before anything is opened: with an option or a policy that has a fault nothing is begun.
  const addresses = options.adminListen.map(parseListenAddress);
  const policy = await readPolicy();
  const { handoff: ofHandoff, control: ofControl, admin: ofAdmin } = activation;
  const elsewhere = { handoff: ofHandoff?.path, control: ofControl?.path, admin: ofAdmin?.path };
  const folder = RuntimeFolder.claim(options.runtimeDir, elsewhere);
  const undo: (() => Promise<void> | void)[] = [() => activation.close(), () => folder.release()];
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
    const log = logger.child({ device: uuidText(device.info.deviceUuid) });
    log.info('the device is open');
    const events = {
      fault: (what: string, cause: unknown) => log.error({ err: cause }, what),
      note: (what: string) => log.warn(what),
    };
    const { heaps } = device.info;
    const reservable = (read: Policy) => {
      requireReservable(read, heaps);
      return read;
    };
    const { storedFds, reservedFds } = policy.limits;
    const survival =
      store && PersistentState.open(folder.path, device.info, store, storedFds, kept, events.fault);
    if (survival) undo.push(() => survival.close());
    if (survival && !hasPeerPidfd(release())) {
      log.warn(`this kernel (${release()}) makes no pidfd of a peer: SESSION memory ends with the daemon`);
    }
    const fds = new FdBudget(openFiles([...kept.values()].flat().length), reservedFds);
    setMostPendingCloses(fds.maxPendingCloses);
    log.info({ fds: fds.capacity, sessions: fds.maxSessions }, 'what RLIMIT_NOFILE allows at most');
    const domain = new Domain(
      device,
      version(),
      {
        policy: reservable(policy),
        readPolicy: async () => reservable(await readPolicy(parseApart)),
        fds,
        persistence: survival?.keeping,
      },
      events,
    );
    domain.authority.onReplaced(({ files, rules }) => {
      log.info({ files, rules: rules.length }, 'the policy was read again and is in force');
    });
    undo.push(logHappenings(log), () => (survival ? leaveEverything(domain) : releaseEverything(domain)));
    const connections: Record<string, () => number> = {};
    const state = { serving: true };
    // The first that begins and the last that ends: it tells of the others.
    const adminSocket = ofAdmin?.fd ?? folder.adminSocket;
    const admin = await AdminServer.open(domain, adminSocket, addresses, { recovery: state, connections });
    undo.push(() => admin.close());
    const ivshmem = new IvshmemPlane(domain, options.ivshmemDir);
    undo.push(() => ivshmem.close());
    if (survival)
      log.info(await survival.restore(domain), 'what outlived the daemon before this one is back');
    ivshmem.sweep();
    const recovery = new Recovery(domain);
    undo.push(() => recovery.stop());
    const degraded = new DegradedRetry(domain);
    undo.push(() => degraded.stop());
    const handoff = new HandoffServer(domain, ofHandoff?.fd ?? folder.handoffSocket);
    connections.handoff = () => handoff.connections;
    connections.ivshmem = () => ivshmem.connections;
    undo.push(() => handoff.close());
    const control = new ControlServer(domain, ofControl?.fd ?? folder.controlSocket);
    connections.control = () => control.connections;
    recovery.onChange = (serving) => {
      state.serving = serving;
      control.deviceServes = serving;
    };
    recovery.onChange(recovery.serving);
    undo.push(() => control.close());
    undo.push(() => handoff.stopAccepting());
    undo.push(() => admin.enter('STOPPING'));
    admin.enter('SERVING');
    const line = startLine(domain, folder, admin.addresses);
    return { line, domain, reload: () => domain.reload.run(), stop };
  } catch (failure) {
    await stop().catch((rest) => logger.error({ err: rest }, 'after a failed start'));
    throw failure;
  }
}

function startLine(
  { device, version }: Domain,
  { handoffSocket, controlSocket, adminSocket }: RuntimeFolder,
  addresses: readonly string[],
): string {
  const { name, type, driverName, driverInfo } = device.info;
  const driver = [driverName, driverInfo].filter(Boolean).join(' ');
  const kinds = [...device.kinds].map(([kind, { rung }]) => `${kind} ${rung}`);
  const urls = addresses.map((address) => `http://${address}`);
  const sockets = ['sockets', handoffSocket, controlSocket, adminSocket, ...urls].join(' ');
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

async function run(options: Options, { log, say }: Log): Promise<void> {
  const signalled = stopSignal();
  const hangups = new SighupHandler();
  const handed = inheritResources(process.env, log);
  const manager = await Manager.fromEnvironment(process.env, log);
  const running = await start(options, log, handed);
  say(running.line);
  manager.ready(running.domain);
  const failed = (failure: unknown) => {
    const cause = failure instanceof PolicyError ? {} : { err: failure };
    const faults = faultsOf(failure);
    const [count, shown] = [faults.length, faults.slice(0, MAX_LOGGED_FAULTS)];
    log.error({ count, faults: shown, ...cause }, 'the policy was not replaced: the one before it stays');
  };
  const notify = (...lines: string[]) => manager.tell(...lines);
  hangups.serve({ reload: running.reload, failed, notify, status: () => manager.status });
  log.info({ signal: await signalled }, 'stopping');
  hangups.close();
  manager.stopping();
  await running.stop();
  log.info('stopped');
}

/** What there is to say of a failed start, a line each. @returns the status to exit with. */
function refuse(failure: unknown): number {
  for (const fault of faultsOf(failure)) process.stderr.write(`vkmemd: ${fault}\n`);
  return failure instanceof PolicyError ? EX_CONFIG : 1;
}

const options = parseOptions(process.argv.slice(2));
const answered = await answerInquiry(options).catch(refuse);
if (answered !== undefined) process.exit(answered);
const log = await openLog(options.logLevel, process.env);
try {
  await run(options, log);
} catch (failure) {
  log.log.debug({ err: failure }, 'failed');
  process.exitCode = refuse(failure);
}
await log.end();
process.exit();
