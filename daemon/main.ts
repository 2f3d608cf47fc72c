/**
 * vkmemd: the composition root. Joins the device, the domain and the planes, says so in one line, and takes them
 * apart again in the opposite order.
 */
import { asVkmemError } from '@vkmemd/proto';
import { pino } from 'pino';
import { ControlServer } from './control/server.js';
import { HandoffServer } from './handoff/server.js';
import { Domain } from './memory/domain.js';
import { releaseEverything } from './memory/lifetime.js';
import { type Options, parseOptions, version } from './options.js';
import { RuntimeFolder } from './runtime-folder.js';
import { Notifier } from './systemd/notify.js';
import { Device } from './vulkan/device.js';

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
    const domain = new Domain(device, version(), {
      fault: (what, cause) => log.error({ err: cause }, what),
    });
    undo.push(() => releaseEverything(domain));
    const handoff = new HandoffServer(domain, folder.handoffSocket);
    undo.push(() => handoff.close());
    const control = new ControlServer(domain, folder.controlSocket);
    undo.push(() => control.close());
    return { line: startLine(domain, folder), stop };
  } catch (failure) {
    await stop().catch((rest) => log.error({ err: rest }, 'after a failed start'));
    throw failure;
  }
}

function startLine({ device, version }: Domain, folder: RuntimeFolder): string {
  const { name, type, driverName, driverInfo } = device.info;
  const kinds = [...device.kinds].map(([kind, { rung }]) => `${kind} ${rung}`);
  const sockets = `sockets ${folder.handoffSocket} ${folder.controlSocket}`;
  return `vkmemd ${version} ready: device ${name} (${type}); driver ${driverName} ${driverInfo}; ${sockets}; kinds ${kinds.join(', ')}`;
}

const options = parseOptions(process.argv.slice(2));
const log = pino({ name: 'vkmemd', level: options.logLevel }, pino.destination({ dest: 2, sync: true }));
try {
  const notifier = await Notifier.fromEnvironment(process.env);
  const running = await start(options, log);
  process.stdout.write(`${running.line}\n`);
  notifier?.send('READY=1', `STATUS=${running.line}`);
  let stopping = false;
  const stop = async (signal: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ signal }, 'stopping');
    notifier?.send('STOPPING=1');
    try {
      await running.stop();
    } catch (failure) {
      log.fatal({ err: failure }, 'could not stop cleanly');
      process.exitCode = 1;
    }
    log.info('stopped');
    process.exit();
  };
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
} catch (failure) {
  const error = asVkmemError(failure);
  log.fatal({ err: failure, code: error.code }, error.message);
  process.exitCode = 1;
}
