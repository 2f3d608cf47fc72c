/**
 * vkmemd: arguments, signals and exit codes. The daemon itself is daemon.ts.
 */
import { asVkmemError, CATALOGUE, setDumpable, systemFault } from '@vkmemd/proto';
import { startDaemon } from './daemon.js';
import { EX_CONFIG, EX_USAGE, EXIT_FAILURE } from './exit-status.js';
import { answerInquiry } from './inquiry.js';
import { type Options, parseOptions } from './options.js';
import { findingText, PolicyError } from './policy/findings.js';
import { SighupHandler } from './sighup.js';
import { beginAsChild, isChild } from './supervisor/environment.js';
import { type Log, openLog } from './systemd/log.js';

/** The options whose values are checked only after the command line was parsed, by the field of the error. */
const OPTIONS: readonly string[] = ['admin-listen', 'runtime-dir'];
/** Of a policy's faults in one line of the log, which is dropped, or cut, where it is too long. */
const MAX_LOGGED_FAULTS = 100;

/** Resolves with the first SIGTERM or SIGINT, whenever it comes; later ones change nothing. */
function stopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    process.on('SIGTERM', resolve);
    process.on('SIGINT', resolve);
  });
}

/** What went wrong, a line each: a policy may have several faults. */
function faultsOf(failure: unknown): string[] {
  const { code, reason, message, next } = systemFault(failure) ?? asVkmemError(failure);
  if (failure instanceof PolicyError)
    return failure.findings.faults.map((at) => `${code}: ${findingText(at)}`);
  if (reason === '') return [`${code}: ${message}`];
  // The catalogue's step is for clients of a daemon that runs.
  return [`${code}: ${reason}${next === CATALOGUE[code].next ? '' : ` ${next}`}`];
}

async function run(options: Options, { log, say }: Log): Promise<void> {
  const signalled = stopSignal();
  using sighup = new SighupHandler();
  const { front, ...rest } = options;
  await using daemon = await startDaemon({
    ...rest,
    ...(!front && { front: 'none' as const }),
    log,
    env: process.env,
  });
  const { manager, reload } = daemon;
  say(daemon.startLine);
  const failed = (failure: unknown) => {
    const cause = failure instanceof PolicyError ? {} : { err: failure };
    const faults = faultsOf(failure);
    const [count, shown] = [faults.length, faults.slice(0, MAX_LOGGED_FAULTS)];
    log.error({ count, faults: shown, ...cause }, 'the policy was not replaced: the one before it stays');
  };
  const notify = (...lines: string[]) => manager.notify(...lines);
  sighup.serve({ reload, failed, notify, status: () => manager.status });
  const failedToOpen = new Promise<never>((_resolve, reject) => daemon.opening?.catch(reject));
  log.info({ signal: await Promise.race([signalled, failedToOpen]) }, 'stopping');
  sighup[Symbol.dispose]();
}

/** Prints the faults of a failed start, a line each. @returns the status to exit with. */
function refuse(failure: unknown): number {
  for (const fault of faultsOf(failure)) process.stderr.write(`vkmemd: ${fault}\n`);
  return statusOf(failure);
}

/**
 * INVALID_ARGUMENT without an option is a socket or a variable of the service manager. A device that is missing
 * may come later, when its driver is loaded: another start may succeed.
 */
function statusOf(failure: unknown): number {
  const { code, metadata } = asVkmemError(failure);
  if (code === 'POLICY_INVALID' || code === 'RUNTIME_UNSUPPORTED') return EX_CONFIG;
  if (code !== 'INVALID_ARGUMENT' || metadata.field === 'device') return EXIT_FAILURE;
  return OPTIONS.includes(metadata.field ?? '') ? EX_USAGE : EX_CONFIG;
}

/** Runs until a signal or a failure, and exits the process. */
async function main(args: readonly string[]): Promise<void> {
  if (isChild(process.env)) beginAsChild(process.env);
  const options = parseOptions(args);
  const answered = await answerInquiry(options).catch(refuse);
  if (answered !== undefined) process.exit(answered);
  // The memory and the fds of this process are its own: another process of its user may not read them.
  setDumpable(false);
  const log = await openLog(options.logLevel, process.env);
  try {
    await run(options, log);
    log.log.info('stopped');
  } catch (failure) {
    log.log.debug({ err: failure }, 'failed');
    process.exitCode = refuse(failure);
  }
  await log.end();
  process.exit();
}

// Not awaited: a bundle is a script, which has no top-level await. Its rejection ends the process.
void main(process.argv.slice(2));
