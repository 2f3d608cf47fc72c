/**
 * The daemon as a value, and the composition root: it opens the device, creates the core and the planes, and
 * disposes of them in the opposite order. It is the only file that imports planes. Several daemons may run in
 * one process.
 *
 * Limits: the limit of fds that wait to be closed (proto/native/reaper.h) is one for the process, set by the
 * daemon that started last. Each daemon counts the fds that are open when it starts, so several daemons in
 * one process may together lease more fds than RLIMIT_NOFILE allows.
 *
 * @module vkmemd
 */
import { release } from 'node:os';
import { join } from 'node:path';
import {
  ABOUT_FOLDER,
  AsyncDisposableStack,
  closeInProcesses,
  disposalFailures,
  IVSHMEM_FOLDER,
  peerSupport,
  requireProc,
  setMaxPendingCloses,
  uuidText,
  VkmemError,
} from '@vkmemd/proto';
import { pino } from 'pino';
import { Front } from './callers/front.js';
import { spawnFront } from './callers/front-process.js';
import { addressText, parseListenAddress } from './callers/listen-address.js';
import { CallersPlane } from './callers/plane.js';
import { type Core, makeCore } from './core.js';
import { DescriptionFile } from './device-description.js';
import { requireOwnFolder } from './folder-access.js';
import { HandoffServer } from './handoff/server.js';
import { requireSafeHttp2 } from './http2-version.js';
import { type InheritedResources, inheritResources } from './inherited-resources.js';
import { IvshmemPlane } from './ivshmem/plane.js';
import { FdBudget, openFiles } from './limits/fd-budget.js';
import { MappingBudget, openMappings } from './limits/mapping-budget.js';
import { slices } from './limits/slices.js';
import type { StartFront } from './link/front-instance.js';
import { requireReservable } from './memory/accounting/reservations.js';
import { DegradedRetry } from './memory/allocation/degraded.js';
import { Recovery } from './memory/allocation/recovery.js';
import { Restoring } from './memory/allocation/restoring.js';
import { Authority } from './memory/authority.js';
import { PacedFaults } from './memory/paced-faults.js';
import type { ReloadFailure } from './memory/reload.js';
import { Metrics } from './metrics/metrics.js';
import { openDevice } from './open-device.js';
import type { PolicyOptions } from './options.js';
import { parseApart } from './policy/apart.js';
import { findingText, PolicyError } from './policy/findings.js';
import { LastGoodPolicy } from './policy/last-good.js';
import { DEFAULT_LIMITS, type Limits } from './policy/limits.js';
import { loadPolicy } from './policy/load.js';
import type { Policy } from './policy/policy.js';
import type { Source } from './policy/toml.js';
import { makeHandlers, makePartsHandlers, makeStreamHandlers } from './requests/handlers.js';
import { hello } from './requests/hello.js';
import { RuntimeFolder } from './runtime-folder.js';
import { SocketGroups } from './socket-groups.js';
import { asideErrors, Status } from './status.js';
import { STATE_FOLDER } from './store/names.js';
import { PersistentState } from './store/persistent-state.js';
import { isEmpty } from './store/restore.js';
import { logEvents } from './systemd/events-log.js';
import { Manager } from './systemd/manager.js';
import { version } from './version.js';

const LAST_GOOD = 'the policy is faulty: the last good one is in force';
const NO_UIDS: ReadonlySet<number> = new Set();

export type { FrontInstance, Scheduled, StartFront } from './link/front-instance.js';
export type { PolicyOptions } from './options.js';
export { type Finding, Findings, type Place, PolicyError } from './policy/findings.js';

/** How a daemon is started. */
export interface DaemonOptions {
  /** The folder of its sockets, used by no other daemon; created if it does not exist. */
  readonly runtimeDir: string;
  /** The folder of sockets for virtual machines. Default: `ivshmem` in the runtime folder. */
  readonly ivshmemDir?: string;
  /** The folder of the description of the device, for clients. Default: `about` in the runtime folder. */
  readonly aboutDir?: string;
  /** UUID, index or part of the name. Default: the first of the order in vulkan/physical-device.ts. */
  readonly device?: string | undefined;
  /**
   * Loopback addresses on which it also serves health and metrics, such as `127.0.0.1:9464`. Default: none.
   */
  readonly adminListen?: readonly string[];
  /** Where the policy is read from. Default: the files below /usr/lib/vkmemd and /etc/vkmemd. */
  readonly policy?: Partial<PolicyOptions>;
  /**
   * Starts the front, which speaks gRPC and HTTP. Default: a process of its own. 'none': the control and admin
   * sockets are not served.
   */
  readonly front?: StartFront | 'none';
  /** Where it logs. Default: nowhere. */
  readonly log?: pino.Logger;
  /**
   * The environment set by a service manager: sockets that it listens on, an fd store, notifications, a
   * watchdog. The manager's variables are removed from this object. Default: no service manager.
   */
  readonly env?: NodeJS.ProcessEnv;
}

/** The service manager that started this process: systemd, or the supervisor. */
export interface ServiceManager {
  /** The status line; empty where there is no manager. */
  readonly status: string;
  /** Sends a notification (sd_notify), such as notify('RELOADING=1'). Without a manager nothing is sent. */
  notify(...assignments: string[]): void;
}

/** A daemon that serves until it is disposed. */
export interface Daemon extends AsyncDisposable {
  /** One line for the log: version, device, driver, sockets and kinds. */
  readonly startLine: string;
  readonly manager: ServiceManager;
  /**
   * A device that the daemon before had is opened while this one serves: resolves when it is open, and rejects if it
   * cannot be; the daemon must end then. Undefined if it is open already.
   */
  readonly opening: Promise<void> | undefined;
  /** Reads the policy again. @throws PolicyError; the policy in force then stays. */
  reload(): Promise<void>;
  /**
   * Stops serving and releases all resources. A second call returns the promise of the first.
   * @throws AggregateError with the failures of the steps that failed.
   */
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * Starts a daemon. Resolves when all of its sockets are served.
 * @throws VkmemError, PolicyError, KernelError; everything that was opened is closed then.
 */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { log = pino({ level: 'silent' }), env = {} } = options;
  await using stack = new AsyncDisposableStack();
  requireProc();
  try {
    const inherited = stack.use(inheritResources(env, log));
    const manager = Manager.fromEnvironment(env, log);
    const { core, front, startLine, opening } = await compose(options, log, inherited, stack);
    manager.ready({ ...core, front });
    stack.defer(() => manager.stopping());
    const running = stack.move();
    let stopped: Promise<void> | undefined;
    return {
      startLine,
      opening,
      manager,
      reload: async () => {
        await core.reload.run();
      },
      [Symbol.asyncDispose]: () => (stopped ??= stop(running, log)),
    };
  } catch (failure) {
    // stop() has logged its failures; the failure of the start is thrown.
    await stop(stack, log).catch(() => undefined);
    throw failure;
  }
}

/** @throws AggregateError of all failures, each of which is logged. */
async function stop(stack: AsyncDisposableStack, log: pino.Logger): Promise<void> {
  try {
    await stack.disposeAsync();
  } catch (failure) {
    const failures = disposalFailures(failure);
    for (const err of failures) log.error({ err }, 'a step of the shutdown failed');
    const what = failures.map((each) => (each instanceof Error ? each.message : String(each)));
    throw new AggregateError(failures, `${failures.length} steps of the shutdown failed: ${what.join('; ')}`);
  }
}

interface Composed {
  readonly core: Core;
  readonly front: Front;
  readonly startLine: string;
  /** Rejects if a known device cannot be opened. */
  readonly opening: Promise<void> | undefined;
}

/** @param stack Receives everything that must be disposed of, in the order of creation. */
async function compose(
  options: DaemonOptions,
  logger: pino.Logger,
  { activation, store, storedFds }: InheritedResources,
  stack: AsyncDisposableStack,
): Promise<Composed> {
  const socketGroups = new SocketGroups(activation, process.getegid?.() ?? -1);
  const stateFolder = join(options.runtimeDir, STATE_FOLDER);
  const lastGood = store && new LastGoodPolicy(stateFolder);
  const keep = (sources: readonly Source[]) =>
    lastGood
      ?.save(sources)
      .catch((err) => logger.warn({ err }, 'the policy could not be kept for a restart'));
  const readPolicy = async (...how: [typeof parseApart?, (readonly Source[])?]) => {
    const defaults = { config: undefined, root: '/', importers: NO_UIDS, pressure: {} };
    const settings = { ...defaults, ...options.policy, socketGroups: socketGroups.all };
    const { policy, warnings, sources } = await loadPolicy(settings, ...how);
    for (const warning of warnings) logger.warn(`the policy: ${findingText(warning)}`);
    return { policy, sources };
  };
  // The front runs on the same Node.js.
  if (options.front !== 'none') requireSafeHttp2();
  // Options and policy are checked before anything is opened.
  const addresses = (options.adminListen ?? []).map(parseListenAddress);
  let policyFailure: ReloadFailure | undefined;
  const { policy, sources } = await readPolicy().catch(async (failure) => {
    if (store) requireOwnFolder(stateFolder);
    const earlier = failure instanceof PolicyError ? lastGood?.read() : undefined;
    const read = earlier && (await readPolicy(undefined, earlier).catch(() => undefined));
    if (!read) throw failure;
    policyFailure = { error: failure, at: Date.now() };
    logger.error({ faults: failure.findings.faults.map(findingText) }, LAST_GOOD);
    return read;
  });
  const sockets = { handoff: activation.handoff, control: activation.control, admin: activation.admin };
  const folder = RuntimeFolder.claim(options.runtimeDir, {
    handoff: sockets.handoff?.path,
    control: sockets.control?.path,
    admin: sockets.admin?.path,
  });
  stack.use(folder);
  if (store) requireOwnFolder(stateFolder);
  if (!policyFailure) await keep(sources);
  if (folder.exposure) logger.warn(folder.exposure.message);

  let { frontMemory } = policy.limits;
  const front = stack.use(
    new Front({
      start: options.front ?? spawnFront,
      note: (what) => logger.warn(what),
      maxBytes: () => frontMemory,
    }),
  );
  // It starts while the device is opened.
  front.start();
  const description = stack.use(
    new DescriptionFile(options.aboutDir ?? join(options.runtimeDir, ABOUT_FOLDER), (err) =>
      logger.warn(
        { err },
        'the description of the device could not be changed: clients find it by UUID only',
      ),
    ),
  );
  const { device, log, opening } = await openDevice(options.device, store ? stateFolder : undefined, logger);
  stack.defer(() => device.close());
  description.write({
    uuid: uuidText(device.info.deviceUuid),
    index: device.info.hostIndex,
    name: device.info.name,
    type: device.info.type,
    pciAddress: device.info.pciAddress || null,
    daemonVersion: version(),
  });
  const paced = stack.use(new PacedFaults((what, err) => log.error({ err }, what)));
  const reporter = {
    fault: paced.fault,
    note: (what: string) => log.warn(what),
  };
  const reservable = (read: Policy) => {
    requireReservable(read, device.info.heaps);
    return read;
  };

  const { limits } = policy;
  const state =
    store &&
    PersistentState.open(folder.path, device.info, store, limits.storedFds, storedFds, reporter.fault);
  if (state) stack.use(state);
  const peers = peerSupport();
  if (state && !peers.pidfd) {
    const lack = `this kernel (${release()}) has no SO_PEERPIDFD`;
    if (peers.pidfdByPid) {
      log.warn(`${lack}: SESSION memory outlives the daemon only for clients that answer its challenge`);
    } else log.warn(`${lack} and refuses pidfd_open: SESSION memory does not outlive the daemon`);
  }
  if (!peers.groups) {
    log.warn(
      `this kernel (${release()}) refuses SO_PEERGROUPS: groups are those of the process, as /proc has them`,
    );
  }
  const fds = new FdBudget(openFiles([...storedFds.values()].flat().length), limits.reservedFds);
  setMaxPendingCloses(fds.maxPendingCloses);
  closeInProcesses();
  const mappings = new MappingBudget(openMappings());
  logLimits(log, fds, mappings, limits);

  const authority = new Authority(reservable(policy));
  authority.onReplaced(({ files, rules, limits }) => {
    ({ frontMemory } = limits);
    log.info({ files, rules: rules.length }, 'the policy was reloaded');
  });
  const ivshmem = new IvshmemPlane(
    { fds, authority, reporter },
    options.ivshmemDir ?? join(options.runtimeDir, IVSHMEM_FOLDER),
  );
  const core = makeCore({
    version: version(),
    device,
    authority,
    policyFailure,
    readPolicy: async () => {
      const { policy, sources } = await readPolicy(parseApart);
      reservable(policy);
      await keep(sources);
      return policy;
    },
    fds,
    mappings,
    persistence: state?.writer,
    sockets: ivshmem,
    reporter,
  });
  stack.use(logEvents(log, core));
  stack.defer(() => (state ? persistEverything(core) : endEverything(core)));

  const recovery = new Recovery(core);
  const status = new Status({ ...core, recovery, front, exposure: folder.exposure });
  const connectionCounts = () => ({
    handoff: handoff.connections,
    ivshmem: core.ivshmem.peers,
    ...callers.connections,
  });
  const metrics = stack.use(new Metrics({ ...core, status, connectionCounts }));
  const handlers = makeHandlers({ ...core, status, metrics });
  const partsHandlers = makePartsHandlers(core);
  const handoff = new HandoffServer({ ...core, front, handlers, partsHandlers, greetings: hello(core) });
  // It starts before the other planes and stops after them, because its admin sockets report on them.
  const callers = stack.use(
    new CallersPlane({ ...core, front, handlers: { ...handlers, ...makeStreamHandlers(core) } }),
  );
  recovery.onChange((serving) => {
    callers.deviceServes = serving;
  });
  callers.deviceServes = opening === undefined;
  opening?.then(
    () => {
      callers.deviceServes = recovery.serving;
    },
    () => {},
  );
  const served = options.front !== 'none';
  if (!served && (sockets.control || sockets.admin)) {
    log.warn('without the front, the control and admin sockets of the service manager are not served');
  }
  if (served) {
    callers.listen('ADMIN', sockets.admin?.fd ?? folder.adminSocket);
    if (!sockets.admin) folder.created(folder.adminSocket);
  }
  const tcp = addresses.map((address) => callers.listenTcp(address));
  stack.defer(() => {
    // A peer that is joining meanwhile is no longer announced.
    core.ivshmem.stop(new VkmemError('UNAVAILABLE', 'The daemon is stopping.'));
    ivshmem[Symbol.dispose]();
  });
  const restored = await state?.restore(core);
  if (restored && !isEmpty(restored)) log.info(restored, 'the state of the previous daemon was restored');
  const degradedRetry = new DegradedRetry(core);
  const restoring = new Restoring({ ...core, degradedRetry });
  await restoring.first();
  for (const error of asideErrors(core.persistence.health.setAside)) log.error(error.message);
  core.persistence.health.onChange(() => {
    const { failure } = core.persistence.health;
    if (failure) log.error({ err: failure.error }, 'the ledger cannot be written: new memory is refused');
    else log.warn('the ledger can be written again');
  });
  ivshmem.sweep(core.ivshmem.all);
  stack.use(recovery);
  recovery.begin();
  stack.use(degradedRetry);
  degradedRetry.wake();
  stack.use(restoring);
  restoring.begin();
  stack.use(handoff);
  handoff.listen(sockets.handoff?.fd ?? folder.handoffSocket);
  if (!sockets.handoff) folder.created(folder.handoffSocket);
  if (served) {
    callers.listen('CONTROL', sockets.control?.fd ?? folder.controlSocket);
    if (!sockets.control) folder.created(folder.controlSocket);
  }
  // Before the first connection is accepted.
  socketGroups.created({
    handoff: sockets.handoff ? undefined : folder.handoffSocket,
    control: sockets.control || !served ? undefined : folder.controlSocket,
  });
  stack.defer(() => callers.stopControl());
  stack.defer(() => handoff.stopAccepting());
  stack.defer(() => {
    status.stage = 'STOPPING';
  });
  status.stage = 'SERVING';
  const urls = tcp.map((address) => `http://${addressText(address)}`);
  const others = served ? [folder.controlSocket, folder.adminSocket, ...urls] : [];
  return { core, front, opening, startLine: startLine(core, folder, others) };
}

/**
 * Logs how many fds and sessions RLIMIT_NOFILE allows, and how many allocations vm.max_map_count; warns where a
 * policy sets more sessions.
 */
function logLimits(log: pino.Logger, fds: FdBudget, mappings: MappingBudget, { sessions }: Limits): void {
  const allowed = { fds: fds.capacity, sessions: fds.maxSessions, allocations: mappings.capacity };
  const tooFew = sessions !== DEFAULT_LIMITS.sessions && fds.maxSessions < sessions;
  if (!tooFew) {
    log.info(allowed, 'limits that follow from RLIMIT_NOFILE and vm.max_map_count');
    return;
  }
  const needed = fds.limitFor(sessions);
  const next = needed ? `set it (LimitNOFILE=) to ${needed}` : 'lower sessions, no limit suffices for them';
  log.warn(
    { ...allowed, policy: sessions, needed },
    `RLIMIT_NOFILE allows fewer sessions than the policy: ${next}`,
  );
}

/** Keeps memory, sessions and locks for the next daemon. */
async function persistEverything({
  lifecycle,
  orphanedLocks,
  signals,
  tickets,
  semaphoreLifecycle,
  draining,
}: Core): Promise<void> {
  lifecycle.leaveAll();
  await slices.idle();
  orphanedLocks.stopWatching();
  signals[Symbol.dispose]();
  tickets[Symbol.dispose]();
  await semaphoreLifecycle.leaveAll();
  await draining.persistEverything();
}

/** Ends all sessions and frees all memory, also memory that clients still hold. */
async function endEverything({
  lifecycle,
  signals,
  tickets,
  semaphoreLifecycle,
  draining,
}: Core): Promise<void> {
  await lifecycle.endAll();
  await slices.idle();
  signals[Symbol.dispose]();
  await semaphoreLifecycle.leaveAll();
  await draining.freeEverything();
  tickets[Symbol.dispose]();
}

/** @param others the sockets and addresses besides the handoff socket. */
function startLine(
  { device, version }: Core,
  { handoffSocket }: RuntimeFolder,
  others: readonly string[],
): string {
  const { name, type, driverName, driverInfo } = device.info;
  const driver = [driverName, driverInfo].filter(Boolean).join(' ');
  const kinds = [...device.kinds].map(([kind, { rung }]) => `${kind} ${rung}`);
  const sockets = ['sockets', handoffSocket, ...others].join(' ');
  return `vkmemd ${version} ready: device ${name} (${type}); driver ${driver}; ${sockets}; kinds ${kinds.join(', ')}`;
}
