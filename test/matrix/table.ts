/**
 * The outcome of every case on the drivers that behave the same on every machine, and the known properties of
 * these drivers.
 *
 * A code is a refusal. `*`: another version of Mesa than those of the columns may differ, and is checked against
 * its ListDevices only; its other outcomes are those of Mesa 22.3. Cases of a buffer or an image as RDMA_ADDRESS,
 * and of a memory type by its index, are missing here: ListDevices leaves only one possible outcome.
 */
import { accessSync, constants } from 'node:fs';
import { isErrorCode, type KindName } from '@vkmemd/proto';
import type { Answer } from './cases.js';
import type { DriverName } from './drivers.js';

export type SoftwareDriver = Exclude<DriverName, 'GPU'>;

/** What is known about a driver, beside the outcomes of the cases. */
interface Known {
  /** `RUNG`, or `UNSUPPORTED` and the missing part. */
  readonly rungs: Partial<Record<KindName, string>>;
  /** The possible sources of its budget. */
  readonly budgetSources: readonly string[];
}

const LAVAPIPE = { MAPPABLE: 'VERIFIED', OPAQUE_FD: 'VERIFIED', RDMA_ADDRESS: 'UNSUPPORTED extension' };

/** By the table's columns; `lavapipe` is any version. */
const KNOWN = {
  lavapipe: { rungs: LAVAPIPE, budgetSources: ['ESTIMATED', 'EXT'] },
  'lavapipe 22.3': {
    rungs: { ...LAVAPIPE, DMA_BUF: 'UNSUPPORTED extension' },
    budgetSources: ['ESTIMATED'],
  },
  'lavapipe 25.0': { rungs: { ...LAVAPIPE, DMA_BUF: 'VERIFIED' }, budgetSources: ['EXT'] },
  SwiftShader: {
    rungs: {
      MAPPABLE: 'UNSUPPORTED export',
      OPAQUE_FD: 'VERIFIED',
      DMA_BUF: 'UNSUPPORTED extension',
      RDMA_ADDRESS: 'UNSUPPORTED extension',
    },
    budgetSources: ['ESTIMATED'],
  },
  // It lists every known extension, returns success, and does nothing: the fd that it exports is 1. All of its
  // budgets are 0.
  mock: {
    rungs: {
      MAPPABLE: 'UNSUPPORTED export',
      OPAQUE_FD: 'UNSUPPORTED works',
      DMA_BUF: 'UNSUPPORTED export',
      RDMA_ADDRESS: 'UNSUPPORTED feature',
    },
    budgetSources: ['EXT'],
  },
} satisfies Record<string, Known>;

const TEXT = `
case                                                       | lavapipe 22.3       | lavapipe 25.0      | SwiftShader          | mock
MAPPABLE                                                   | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
OPAQUE_FD                                                  | pass                | pass               | pass                 | KIND_UNSUPPORTED
DMA_BUF                                                    | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
RDMA_ADDRESS                                               | KIND_UNSUPPORTED    | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
MAPPABLE with OPAQUE_FD                                    | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
MAPPABLE with DMA_BUF                                      | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
MAPPABLE with RDMA_ADDRESS                                 | KINDS_EXCLUSIVE     | KINDS_EXCLUSIVE    | KINDS_EXCLUSIVE      | KINDS_EXCLUSIVE
OPAQUE_FD with DMA_BUF                                     | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
OPAQUE_FD with RDMA_ADDRESS                                | KIND_UNSUPPORTED    | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
DMA_BUF with RDMA_ADDRESS                                  | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
MAPPABLE with OPAQUE_FD with DMA_BUF                       | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
OPAQUE_FD with DMA_BUF with RDMA_ADDRESS                   | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
MAPPABLE with OPAQUE_FD with DMA_BUF with RDMA_ADDRESS     | KINDS_EXCLUSIVE     | KINDS_EXCLUSIVE    | KINDS_EXCLUSIVE      | KINDS_EXCLUSIVE
1 byte as MAPPABLE                                         | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
more than the largest heap as MAPPABLE                     | SIZE_ABOVE_MAXIMUM  | SIZE_ABOVE_MAXIMUM | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
1 byte as OPAQUE_FD                                        | pass                | pass               | pass                 | KIND_UNSUPPORTED
more than the largest heap as OPAQUE_FD                    | SIZE_ABOVE_MAXIMUM  | SIZE_ABOVE_MAXIMUM | SIZE_ABOVE_MAXIMUM   | KIND_UNSUPPORTED
more than maxMemoryAllocationSize as OPAQUE_FD             | SIZE_ABOVE_MAXIMUM* | SIZE_ABOVE_MAXIMUM | DEVICE_OUT_OF_MEMORY | KIND_UNSUPPORTED
required DEVICE_LOCAL as MAPPABLE                          | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required HOST_VISIBLE as MAPPABLE                          | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required HOST_CACHED as MAPPABLE                           | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
preferred HOST_CACHED as MAPPABLE                          | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
preferred PROTECTED as MAPPABLE                            | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
forbidden DEVICE_LOCAL as MAPPABLE                         | NOT_MAPPABLE*       | NOT_MAPPABLE       | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
forbidden HOST_VISIBLE as MAPPABLE                         | NOT_MAPPABLE*       | NOT_MAPPABLE       | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required DEVICE_LOCAL, forbidden HOST_VISIBLE as MAPPABLE  | NOT_MAPPABLE*       | NOT_MAPPABLE       | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required PROTECTED as MAPPABLE                             | NOT_MAPPABLE*       | NOT_MAPPABLE       | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required and forbidden HOST_VISIBLE as MAPPABLE            | NOT_MAPPABLE*       | NOT_MAPPABLE       | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
required DEVICE_LOCAL as OPAQUE_FD                         | pass*               | pass               | pass                 | KIND_UNSUPPORTED
required HOST_VISIBLE as OPAQUE_FD                         | pass*               | pass               | pass                 | KIND_UNSUPPORTED
required HOST_CACHED as OPAQUE_FD                          | pass*               | pass               | pass                 | KIND_UNSUPPORTED
preferred HOST_CACHED as OPAQUE_FD                         | pass*               | pass               | pass                 | KIND_UNSUPPORTED
preferred PROTECTED as OPAQUE_FD                           | pass*               | pass               | pass                 | KIND_UNSUPPORTED
forbidden DEVICE_LOCAL as OPAQUE_FD                        | NO_MEMORY_TYPE*     | NO_MEMORY_TYPE     | NO_MEMORY_TYPE       | KIND_UNSUPPORTED
forbidden HOST_VISIBLE as OPAQUE_FD                        | NO_MEMORY_TYPE*     | NO_MEMORY_TYPE     | NO_MEMORY_TYPE       | KIND_UNSUPPORTED
required DEVICE_LOCAL, forbidden HOST_VISIBLE as OPAQUE_FD | NO_MEMORY_TYPE*     | NO_MEMORY_TYPE     | NO_MEMORY_TYPE       | KIND_UNSUPPORTED
required PROTECTED as OPAQUE_FD                            | NO_MEMORY_TYPE*     | NO_MEMORY_TYPE     | NO_MEMORY_TYPE       | KIND_UNSUPPORTED
required and forbidden HOST_VISIBLE as OPAQUE_FD           | NO_MEMORY_TYPE*     | NO_MEMORY_TYPE     | NO_MEMORY_TYPE       | KIND_UNSUPPORTED
a memory type beyond the last as MAPPABLE                  | INVALID_ARGUMENT    | INVALID_ARGUMENT   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a memory type beyond the last as OPAQUE_FD                 | INVALID_ARGUMENT    | INVALID_ARGUMENT   | INVALID_ARGUMENT     | KIND_UNSUPPORTED
a buffer for transfers as MAPPABLE                         | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer of vertices and indices as MAPPABLE               | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer uniform and storage as MAPPABLE                   | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer of texels as MAPPABLE                             | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer for everything as MAPPABLE                        | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer for transfers as OPAQUE_FD                        | pass                | pass               | pass                 | KIND_UNSUPPORTED
a buffer of vertices and indices as OPAQUE_FD              | pass                | pass               | pass                 | KIND_UNSUPPORTED
a buffer uniform and storage as OPAQUE_FD                  | pass                | pass               | pass                 | KIND_UNSUPPORTED
a buffer of texels as OPAQUE_FD                            | pass                | pass               | pass                 | KIND_UNSUPPORTED
a buffer for everything as OPAQUE_FD                       | pass                | pass               | pass                 | KIND_UNSUPPORTED
a buffer for transfers as DMA_BUF                          | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer of vertices and indices as DMA_BUF                | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer uniform and storage as DMA_BUF                    | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer of texels as DMA_BUF                              | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
a buffer for everything as DMA_BUF                         | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 optimal as MAPPABLE                        | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 linear as MAPPABLE                         | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 by modifiers as MAPPABLE                   | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 3D RGBA8 as MAPPABLE                                | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: an array with mips as MAPPABLE                      | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: depth 32F as MAPPABLE                               | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 4 samples as MAPPABLE                               | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: BC1 compressed as MAPPABLE                          | pass*               | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2^20 texels wide as MAPPABLE                        | KIND_UNSUPPORTED    | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 optimal as OPAQUE_FD                       | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: 2D RGBA8 linear as OPAQUE_FD                        | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: 2D RGBA8 by modifiers as OPAQUE_FD                  | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 3D RGBA8 as OPAQUE_FD                               | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: an array with mips as OPAQUE_FD                     | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: depth 32F as OPAQUE_FD                              | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: 4 samples as OPAQUE_FD                              | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: BC1 compressed as OPAQUE_FD                         | pass*               | pass               | pass                 | KIND_UNSUPPORTED
image: 2^20 texels wide as OPAQUE_FD                       | KIND_UNSUPPORTED    | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 optimal as DMA_BUF                         | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 linear as DMA_BUF                          | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2D RGBA8 by modifiers as DMA_BUF                    | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 3D RGBA8 as DMA_BUF                                 | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: an array with mips as DMA_BUF                       | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: depth 32F as DMA_BUF                                | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 4 samples as DMA_BUF                                | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: BC1 compressed as DMA_BUF                           | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2^20 texels wide as DMA_BUF                         | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
image: 2^21 texels wide                                    | INVALID_ARGUMENT    | INVALID_ARGUMENT   | INVALID_ARGUMENT     | INVALID_ARGUMENT
image: too small a size                                    | INVALID_SIZE        | INVALID_SIZE       | INVALID_SIZE         | KIND_UNSUPPORTED
import: a memfd                                            | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
import: a memfd, to be mapped                              | NOT_MAPPABLE        | NOT_MAPPABLE       | NOT_MAPPABLE         | NOT_MAPPABLE
import: a memfd, as OPAQUE_FD                              | KIND_UNSUPPORTED*   | KIND_UNSUPPORTED   | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
import: a memfd sealed against writing                     | INVALID_HANDLE      | INVALID_HANDLE     | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
import: a MAPPABLE grant, handed back                      | pass                | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
import: an OPAQUE_FD, handed back                          | pass                | pass               | pass                 | KIND_UNSUPPORTED
import: an OPAQUE_FD of an image, handed back              | pass                | pass               | pass                 | KIND_UNSUPPORTED
import: an OPAQUE_FD of another device                     | INVALID_HANDLE      | INVALID_HANDLE     | INVALID_HANDLE       | KIND_UNSUPPORTED
import: /dev/null, declared as an OPAQUE_FD                | INVALID_HANDLE      | INVALID_HANDLE     | INVALID_HANDLE       | KIND_UNSUPPORTED
import: a DMA_BUF, handed back                             | KIND_UNSUPPORTED*   | pass               | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
import: a memfd, declared as a DMA_BUF                     | KIND_UNSUPPORTED*   | INVALID_HANDLE     | KIND_UNSUPPORTED     | KIND_UNSUPPORTED
`;

const [heading = [], ...rows] = TEXT.trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));

const CELLS = new Map(rows.map(([name = '', ...cells]) => [name, cells]));

/** The names of the cases that the table has. */
export const TABLED: readonly string[] = [...CELLS.keys()];

/** lavapipe makes dma-bufs by it. */
function hasUdmabuf(): boolean {
  try {
    accessSync('/dev/udmabuf', constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What is known by; `lavapipe` where no column has this version of it on this machine. */
function columnOf(driver: SoftwareDriver, driverInfo: string): keyof typeof KNOWN {
  if (driver !== 'lavapipe') return driver;
  if (driverInfo.startsWith('Mesa 22.3')) return 'lavapipe 22.3';
  return driverInfo.startsWith('Mesa 25.0') && hasUdmabuf() ? 'lavapipe 25.0' : 'lavapipe';
}

/** Whether the table is complete for a driver of this version, given its description. */
export const knows = (driver: SoftwareDriver, driverInfo: string): boolean =>
  columnOf(driver, driverInfo) !== 'lavapipe';

/** What is known about a driver of this version, given its description. */
export const known = (driver: SoftwareDriver, driverInfo: string): Known =>
  KNOWN[columnOf(driver, driverInfo)];

/** The outcome of a case; undefined where the table leaves it to ListDevices. */
export function tabled(name: string, driver: SoftwareDriver, driverInfo: string): Answer | undefined {
  const column = columnOf(driver, driverInfo);
  const other = column === 'lavapipe';
  const cell = CELLS.get(name)?.[heading.indexOf(other ? 'lavapipe 22.3' : column) - 1];
  if (cell === undefined || (cell.endsWith('*') && other)) return undefined;
  const answer = cell.replace('*', '');
  if (answer === 'pass' || isErrorCode(answer)) return answer;
  throw new Error(`the table has ${cell} for ${name}`);
}
