/**
 * The pages of the documentation as the Debian package installs them: links to other files lead to where these are
 * installed, and a link to a file that only a checkout has becomes text that names the file.
 */
import { dirname, join, relative } from 'node:path';

/** Blocks of code and code between backticks, which contain no links. */
const CODE = /^(```|~~~)[\s\S]*?^\1|`[^`\n]*`/gm;
const LINK = /\[([^\]]*)\]\(([^()\s#]+)(#[^()\s]*)?\)/g;

/** Runs `change` on the parts of a page that are not code. */
function outsideCode(text, change) {
  let [rest, done] = [0, ''];
  for (const { 0: code, index } of text.matchAll(CODE)) {
    done += change(text.slice(rest, index)) + code;
    rest = index + code.length;
  }
  return done + change(text.slice(rest));
}

/**
 * @param page The path of a Markdown page in the checkout.
 * @param installed The path at which a file or folder of the checkout is installed; undefined if it is not.
 */
export function installedPage(page, text, installed) {
  const link = (whole, words, target, anchor = '') => {
    if (/^[a-z+.-]+:/i.test(target)) return whole;
    const file = join(dirname(page), target);
    const at = installed(file);
    if (at !== undefined) {
      return `[${words.replace(/^(\.\.\/)+/, '')}](${relative(dirname(installed(page)), at)}${anchor})`;
    }
    return words === target ? `${file} (in the source)` : `${words} (${file} in the source)`;
  };
  return outsideCode(text, (prose) => prose.replace(LINK, link));
}
