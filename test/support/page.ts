/**
 * The command lines of a page of docs/, which tests run unchanged: the text after `$ ` in blocks that are
 * marked `console`, with continuation lines, and the output that the page shows.
 */
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { plainEnvironment, root } from './daemon.js';

export interface CommandLine {
  /** For a shell; without the `&` at its end. */
  readonly command: string;
  /** Whether it ends with `&`: the next command starts while it runs. */
  readonly background: boolean;
  /** The output that the page shows, by lines. */
  readonly output: readonly string[];
}

/** The text below each heading of the second level, in the page's order. */
function sections(page: string): [heading: string, text: string][] {
  const [, ...parts] = `\n${page}`.split(/^## /m);
  return parts.map((part) => [part.slice(0, part.indexOf('\n')), part]);
}

function linesOf(block: string): CommandLine[] {
  const [, ...commands] = `\n${block}`.split(/^\$ /m);
  return commands.map((text) => {
    const [, command = '', rest = ''] = /^((?:.*\\\n)*.*)\n?([\s\S]*)$/.exec(text) ?? [];
    const background = command.endsWith(' &');
    return {
      command: background ? command.slice(0, -2) : command,
      background,
      output: rest.split('\n').filter(Boolean),
    };
  });
}

/** The command lines of a page, by heading. Headings without command lines are left out. */
export function commandLines(name: string): ReadonlyMap<string, CommandLine[]> {
  const page = readFileSync(join(root, 'docs', name), 'utf8');
  const all = sections(page).map(([heading, text]) => {
    const blocks = [...text.matchAll(/^```console\n([\s\S]*?)^```$/gm)].map(([, block = '']) => block);
    return [heading, blocks.flatMap(linesOf)] as const;
  });
  return new Map(all.filter(([, lines]) => lines.length > 0));
}

/**
 * The environment of a reader: our programs on the PATH, and the daemon's folder in VKMEMD_RUNTIME_DIR.
 * Command lines run in the checkout.
 */
export function readersEnvironment(runtimeDir: string): NodeJS.ProcessEnv {
  const { PATH = '', ...rest } = plainEnvironment();
  const folders = [join(root, 'node_modules/.bin'), dirname(process.execPath), PATH];
  return { ...rest, PATH: folders.join(':'), VKMEMD_RUNTIME_DIR: runtimeDir };
}
