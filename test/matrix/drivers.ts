/**
 * The drivers that the matrix runs on, and the reason why one of them is missing.
 *
 * lavapipe comes with Mesa; SwiftShader and Khronos's mock driver are files of Debian's chromium-common,
 * which has no ICD manifest for the mock driver: the test writes one. The real GPU is any device of another
 * type than CPU that the loader finds with the drivers in its usual folders, or with $VKMEMD_TEST_DRIVER.
 */
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { plainEnvironment } from '../support/daemon.js';
import { runNode } from '../support/program.js';

export const DRIVERS = ['lavapipe', 'SwiftShader', 'mock', 'GPU'] as const;
export type DriverName = (typeof DRIVERS)[number];

/** An available driver: its manifests, and the device's UUID where there may be several devices. */
export interface Driver {
  readonly name: DriverName;
  /** For $VK_DRIVER_FILES. */
  readonly files: string;
  readonly device?: string;
}

/** A driver, or the reason why it is missing. */
type Found = Omit<Driver, 'name'> | { readonly missing: string };

const FOLDERS = ['/usr/share/vulkan/icd.d', '/usr/local/share/vulkan/icd.d', '/etc/vulkan/icd.d'];
const SWIFTSHADER = '/usr/lib/chromium/vk_swiftshader_icd.json';
const MOCK = '/usr/lib/chromium/libVkICD_mock_icd.so';
const NOT_INSTALLED = 'install chromium-common of Debian';

/** The ICD manifests in the loader's folders. */
function described(): string[] {
  return FOLDERS.filter((folder) => existsSync(folder)).flatMap((folder) =>
    readdirSync(folder)
      .filter((file) => file.endsWith('.json'))
      .map((file) => join(folder, file)),
  );
}

const isLavapipe = (file: string): boolean => /\blvp_icd[^/]*$/.test(file);

function findLavapipe(): Found {
  const files = described().find(isLavapipe);
  return files ? { files } : { missing: `no lvp_icd*.json in ${FOLDERS.join(', ')}` };
}

function findSwiftshader(): Found {
  return existsSync(SWIFTSHADER)
    ? { files: SWIFTSHADER }
    : { missing: `no ${SWIFTSHADER}: ${NOT_INSTALLED}` };
}

/** The loader ignores a manifest without an api_version; its value does not matter. */
function findMock(folder: string): Found {
  if (!existsSync(MOCK)) return { missing: `no ${MOCK}: ${NOT_INSTALLED}` };
  const files = join(folder, 'mock_icd.json');
  const ICD = { library_path: MOCK, api_version: '1.3.239' };
  writeFileSync(files, JSON.stringify({ file_format_version: '1.0.0', ICD }));
  return { files };
}

/** What devices.js prints. */
interface Listed {
  readonly name: string;
  readonly type: string;
  readonly uuid: string;
}

async function findGpu(): Promise<Found> {
  const named = process.env.VKMEMD_TEST_DRIVER;
  const candidates = named ? [named] : described().filter((file) => !isLavapipe(file));
  if (candidates.length === 0) return { missing: `no driver of a GPU in ${FOLDERS.join(', ')}` };
  const files = candidates.join(':');
  const program = fileURLToPath(new URL('./devices.js', import.meta.url));
  const { code, stdout, stderr } = await runNode([program], {
    ...plainEnvironment(),
    VK_DRIVER_FILES: files,
  });
  if (code !== 0) throw new Error(`${program} ended with ${code}: ${stderr}`);
  const devices = JSON.parse(stdout) as Listed[];
  const gpu = devices.find(({ type }) => type !== 'cpu');
  if (gpu) return { files, device: gpu.uuid };
  const seen = devices.map(({ name }) => name).join(', ') || 'no device';
  return { missing: `no GPU here: ${files} have ${seen}` };
}

/**
 * @param folder for generated files; it must outlive the use of the drivers.
 * @returns the driver, or why it is missing: also where $VKMEMD_MATRIX_DRIVERS lists others only.
 */
export async function findDriver(name: DriverName, folder: string): Promise<Driver | { missing: string }> {
  const wanted = process.env.VKMEMD_MATRIX_DRIVERS?.split(',');
  if (wanted && !wanted.includes(name)) return { missing: `VKMEMD_MATRIX_DRIVERS is ${wanted.join(',')}` };
  const found =
    name === 'lavapipe'
      ? findLavapipe()
      : name === 'SwiftShader'
        ? findSwiftshader()
        : name === 'mock'
          ? findMock(folder)
          : await findGpu();
  return 'missing' in found ? found : { name, ...found };
}
