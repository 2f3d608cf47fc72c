/**
 * The HTTP/2 implementation that gRPC is served with: nghttp2, which Node.js contains.
 */
import { VkmemError } from '@vkmemd/proto';

/**
 * Older versions end the process on a malformed frame after GOAWAY, which any client can send: CVE-2026-27135, fixed in
 * 1.68.1, and CVE-2026-58055, fixed in 1.70.0.
 */
const MIN_NGHTTP2 = [1, 70, 0] as const;

/** Whether a version such as `1.61.0` is at least the other. */
function isAtLeast(version: string, minimum: readonly number[]): boolean {
  const parts = version.split('.').map(Number);
  for (const [index, part] of minimum.entries()) {
    const own = parts[index] ?? 0;
    if (own !== part) return own > part;
  }
  return true;
}

/**
 * @param versions Of the components of Node.js, as process.versions has them.
 * @throws VkmemError RUNTIME_UNSUPPORTED where any client could end this process.
 */
export function requireSafeHttp2(
  versions: Readonly<Record<string, string | undefined>> = process.versions,
): void {
  const { nghttp2 = '0', node } = versions;
  if (isAtLeast(nghttp2, MIN_NGHTTP2)) return;
  throw new VkmemError(
    'RUNTIME_UNSUPPORTED',
    `Node.js ${node} has nghttp2 ${nghttp2}, and HTTP/2 needs ${MIN_NGHTTP2.join('.')} or newer: ` +
      'with an older one any client can end the daemon by a malformed frame (CVE-2026-27135, CVE-2026-58055).',
    { nghttp2, minimum: MIN_NGHTTP2.join('.') },
  );
}
