/**
 * Dma-bufs by CUDA, for NVIDIA's driver, which lists no VK_EXT_external_memory_dma_buf.
 *
 * cuMemGetHandleForAddressRange makes a dma-buf of memory that is dedicated to a buffer, and that CUDA has mapped from
 * its OPAQUE_FD. It needs a CUDA context, which takes some 500 MiB of the GPU. So a short-lived process does that
 * (native/cuda_export.c, vkmemd-cuda-export): it gets the OPAQUE_FD through a socket, and sends the dma-buf back. One
 * runs at a time, and one that takes longer than MAX_MS is ended. The daemon itself loads nothing of CUDA.
 */
import {
  ChildProcess,
  Connection,
  isKernelError,
  type OwnedFd,
  refusalOf,
  seqpacketPair,
  VkmemError,
} from '@vkmemd/proto';
import { builtFile } from '@vkmemd/proto/kernel';
import { type KindReport, supported, unsupported } from './kinds.js';
import { ADDON, type DeviceInfo } from './native.js';

export const CUDA_EXPORT = 'vkmemd-cuda-export';
/** cuMemMap maps whole units of this many bytes on every device so far (cuMemGetAllocationGranularity). */
export const CUDA_UNIT = 2n << 20n;
/** A context takes a fraction of a second; the first one after a boot takes longer. */
const MAX_MS = 20_000;
/** VkPhysicalDeviceProperties::vendorID. */
const NVIDIA = 0x10de;
const VIA = 'VK_KHR_external_memory_fd+libcuda';

/** Whether dma-bufs of such a device may be made by CUDA. */
export const mayExportByCuda = ({ type, vendorId }: DeviceInfo): boolean =>
  vendorId === NVIDIA && type !== 'cpu';

/** The processes that ran so far: the next one waits for them. */
let earlier: Promise<unknown> = Promise.resolve();

/** What a process answered. The receiver owns the fd. */
interface Answer {
  readonly text: string;
  readonly fd: OwnedFd | undefined;
}

/**
 * The report on DMA_BUF where CUDA is to make the dma-bufs: whether its library and the program are there. CUDA is not
 * initialised, and no device is used.
 */
export async function probeCudaExport(): Promise<KindReport> {
  try {
    const { text } = await ask(['--check'], MAX_MS);
    if (text !== 'ok') return unsupported(`${CUDA_EXPORT} cannot use CUDA: ${text}.`, 'extension');
  } catch (failure) {
    if (!(failure instanceof VkmemError)) throw failure;
    return unsupported(failure.reason, 'extension');
  }
  const reason = `the driver lists no VK_EXT_external_memory_dma_buf; ${CUDA_EXPORT} makes a dma-buf by CUDA, of memory that is dedicated to a buffer. None was made for this report, and no bytes were moved.`;
  return supported(VIA, reason);
}

/**
 * Makes a dma-buf.
 * @param opaque The memory's OPAQUE_FD. Taken, also on failure.
 * @param size Of the memory, in bytes.
 * @param maxMs How long the process may take, in milliseconds.
 * @returns The caller owns the fd, which keeps the memory.
 * @throws VkmemError DEVICE_OUT_OF_MEMORY, KIND_UNSUPPORTED, UNAVAILABLE.
 */
export async function dmaBufByCuda(
  opaque: OwnedFd,
  size: bigint,
  deviceUuid: Uint8Array,
  maxMs = MAX_MS,
): Promise<OwnedFd> {
  let answer: Answer;
  try {
    answer = await ask([Buffer.from(deviceUuid).toString('hex'), String(size)], maxMs, opaque);
  } finally {
    opaque.close();
  }
  const { text, fd } = answer;
  if (text === 'ok' && fd) return fd;
  fd?.close();
  const full = text.includes('CUDA_ERROR_OUT_OF_MEMORY');
  const reason = `${CUDA_EXPORT} made no dma-buf: ${text}.`;
  if (full) throw new VkmemError('DEVICE_OUT_OF_MEMORY', reason);
  throw new VkmemError('KIND_UNSUPPORTED', reason, { kind: 'DMA_BUF', missing: 'works' });
}

/** Runs the program once the earlier processes have ended. @param sent Borrowed. */
function ask(args: readonly string[], maxMs: number, sent?: OwnedFd): Promise<Answer> {
  const run = earlier.then(() => askNow(args, maxMs, sent));
  earlier = run.catch(() => {});
  return run;
}

/** @throws VkmemError UNAVAILABLE if the program cannot be started, does not answer in time, or ends without an answer. */
async function askNow(args: readonly string[], maxMs: number, sent?: OwnedFd): Promise<Answer> {
  using copy = sent?.dup('sent');
  const [ours, passed] = seqpacketPair();
  using its = passed;
  let answered: (answer: Answer | undefined) => void = () => {};
  const answer = new Promise<Answer | undefined>((resolve) => {
    answered = resolve;
  });
  let got = false;
  const handlers = {
    message(data: Buffer, [fd, ...more]: OwnedFd[]) {
      for (const one of got ? [fd, ...more] : more) one?.close();
      if (!got) answered({ text: data.toString('utf8'), fd });
      got = true;
    },
    close: () => answered(undefined),
  };
  const connection = new Connection(ours, handlers, { maxMessageBytes: 4096, maxFds: 1 });
  try {
    const child = start(args, its);
    if (copy) connection.send(Buffer.from('m'), [copy]);
    const late = setTimeout(() => child.kill(), maxMs);
    const found = await answer;
    // It has answered, closed its socket, or been killed; it ends in any case, and is waited for.
    child.kill();
    const how = await child.exited;
    clearTimeout(late);
    if (found) return found;
    throw new VkmemError('UNAVAILABLE', `${CUDA_EXPORT} ended without an answer: ${how}.`);
  } finally {
    connection.close();
  }
}

/** @param its Taken. */
function start(args: readonly string[], its: OwnedFd): ChildProcess {
  try {
    const { path: file } = builtFile(ADDON, CUDA_EXPORT, `program ${CUDA_EXPORT}`);
    const { LD_LIBRARY_PATH: libraries } = process.env;
    // Nothing that limits or changes what CUDA sees: no CUDA_VISIBLE_DEVICES.
    const environment = libraries === undefined ? [] : [`LD_LIBRARY_PATH=${libraries}`];
    return new ChildProcess({ file, args, environment: ['CUDA_CACHE_DISABLE=1', ...environment] }, its);
  } catch (cause) {
    const why = isKernelError(cause) ? (refusalOf(cause) ?? cause.message) : (cause as Error).message;
    throw new VkmemError('UNAVAILABLE', `${CUDA_EXPORT} cannot be started: ${why}`, {}, cause);
  } finally {
    its.close();
  }
}
