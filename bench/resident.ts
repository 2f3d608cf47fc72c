/** Of what the resident memory of a process is, by the files that are mapped. */
import { readFileSync } from 'node:fs';

/** The first that a mapping's path matches. */
const PARTS: readonly (readonly [part: string, path: RegExp])[] = [
  ['Node.js', /\/bin\/node$|^\/proc\/self\/exe$/],
  [
    'driver and loader',
    /libvulkan|libLLVM|libVkICD|libVkLayer|vk_swiftshader|nvidia|libcuda|libgallium|libdrm/,
  ],
  ['addons', /\.node$/],
  ['handed out', /memfd:|^\/dmabuf/],
  ['other files', /^\//],
  ['malloc', /^\[heap\]/],
  ['stack', /^\[stack/],
  ['anonymous', /^(\[anon.*)?$/],
];

/** Part -> MiB that are resident. */
export function residentParts(pid: number): Record<string, number> {
  const parts: Record<string, number> = {};
  let part = '';
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \S+\s*(.*)$/.exec(line);
    if (mapping) part = PARTS.find(([, path]) => path.test(mapping[1] ?? ''))?.[0] ?? 'other';
    const resident = /^Rss:\s+(\d+)/.exec(line);
    if (resident) parts[part] = (parts[part] ?? 0) + Number(resident[1]) / 1024;
  }
  return parts;
}
