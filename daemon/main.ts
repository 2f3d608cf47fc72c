/**
 * vkmemd: the composition root. Joins the device, the domain and the planes, says so in one line, and takes them
 * apart again in the opposite order.
 */
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { asVkmemError } from '@vkmemd/proto';
import { pino } from 'pino';
import { ControlServer } from './control/server.js';
import { HandoffServer } from './handoff/server.js';
import { Domain } from './memory/domain.js';
import { releaseEverything } from './memory/lifetime.js';
import { Recovery } from './memory/recovery.js';
import { type Options, parseOptions, version } from './options.js';
import { RuntimeFolder } from './runtime-folder.js';
import { Notifier } from './systemd/notify.js';
import { Device } from './vulkan/device.js';

const MOST_LOG_BYTES = 1 << 20;
const LOG_FLUSH_MS = 500;

/** A daemon that serves, until stop() has taken it apart. */
interface Running {
  readonly line: string;
  stop(): Promise<void>;
}

async function start(options: Options, log: pino.Logger): Promise<Running> {
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
    const domain = new Domain(device, version(), options, events);
    undo.push(() => releaseEverything(domain));
    const recovery = new Recovery(domain);
    undo.push(() => recovery.stop());
    const handoff = new HandoffServer(domain, folder.handoffSocket);
    undo.push(() => handoff.close());
    const control = new ControlServer(domain, folder.controlSocket);
    undo.push(() => control.close());
    undo.push(() => handoff.stopAccepting());
    return { line: startLine(domain, folder), stop };
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

async function run(options: Options, log: pino.Logger): Promise<void> {
  const signalled = stopSignal();
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
  log.info({ signal: await signalled }, 'stopping');
  notify('STOPPING=1');
  await running.stop();
  log.info('stopped');
}

const options = parseOptions(process.argv.slice(2));
// Never waits for whoever reads the log: what does not fit is dropped.
const logFile = pino.destination({ dest: 2, sync: false, maxLength: MOST_LOG_BYTES });
const log = pino({ name: 'vkmemd', level: options.logLevel }, logFile);
try {
  await run(options, log);
} catch (failure) {
  const { code, reason, message } = asVkmemError(failure);
  log.debug({ err: failure }, 'failed');
  process.stderr.write(`vkmemd: ${code}: ${reason || message}\n`);
  process.exitCode = 1;
}
logFile.end();
await Promise.race([once(logFile, 'close'), setTimeout(LOG_FLUSH_MS)]);
process.exit();
