/**
 * A program of bin/, whose first lines search for vkmemd's own Node.js (for the shell, up to the end of the comment), with
 * one interpreter in their place.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/command.mjs';

const FOR_THE_SHELL = /^#!.*\n':' \/\*\n[\s\S]*?\n\*\/\n/;

/** The file's text. @param interpreter What follows `#!`. */
export function programText(path, interpreter) {
  const text = readFileSync(join(root, path), 'utf8');
  if (!FOR_THE_SHELL.test(text)) throw new Error(`${path} does not begin with lines for the shell`);
  return text.replace(FOR_THE_SHELL, `#!${interpreter}\n`);
}
