/**
 * Requests pages of the admin plane as another user. Prints the status and the error code of each page as
 * JSON.
 *
 * Arguments: the runtime folder, and pages.
 */
import { get } from './support.js';

const [runtimeDir = '', ...pages] = process.argv.slice(2);
const reported: Record<string, [status: number, code: string | undefined]> = {};
for (const page of pages) {
  const { status, text } = await get(runtimeDir, page, {
    headers: { 'x-remote-user': 'root', authorization: 'Basic cm9vdDo=' },
  });
  reported[page] = [status, text.startsWith('{') ? JSON.parse(text).code : undefined];
}
process.stdout.write(JSON.stringify(reported));
