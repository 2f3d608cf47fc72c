/**
 * Writes the manual pages. vkmemd(8) and vkmemctl(1) consist of the programs' help and the sections in
 * packaging/man; vkmemd.toml(5) is docs/policy.md.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../scripts/command.mjs';
import { code, entry, inline, literal, page, roffOf } from './roff.mjs';

/** Compiled modules: a bundle has a commander of its own, which help.mjs does not reach. */
const PROGRAMS = { vkmemd: 'daemon/dist/main.js', vkmemctl: 'client/typescript/dist/cli/main.js' };

/** The help of the program and of each of its commands, by the words of the command. */
function helpsOf(program) {
  const { NODE_OPTIONS: _ours, ...env } = process.env;
  const args = ['--import', new URL('help.mjs', import.meta.url).href, join(root, PROGRAMS[program])];
  return new Map(JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8', env })));
}

/**
 * The parts of a help text: usage, paragraphs, lists of terms by heading, paragraphs after these, examples.
 */
function parseHelp(help) {
  const parts = { usage: '', before: [], lists: new Map(), after: [], examples: [] };
  for (const text of help.trimEnd().split('\n\n')) {
    const [first, ...rest] = text.split('\n');
    if (first.startsWith('Usage: ')) parts.usage = first.slice('Usage: '.length);
    else if (first === 'Examples:') parts.examples = rest.map((line) => line.trim());
    else if (/^\w+:$/.test(first)) parts.lists.set(first.slice(0, -1), rest.map(termOf));
    else (parts.lists.size > 0 ? parts.after : parts.before).push(text);
  }
  return parts;
}

function termOf(line) {
  const [, term, text = ''] = /^ {2}(\S.*?)(?: {2,}(.*))?$/.exec(line);
  return { term, text };
}

const sentence = (text) => (/[.)\]]$/.test(text) ? text : `${text}.`);

/** A list of terms. A default that is an empty list is omitted. */
const list = (terms = []) =>
  terms.flatMap(({ term, text }) =>
    entry(`\\fB${literal(term)}\\fR`, literal(sentence(text.replace(' (default: [])', '')))),
  );

const paragraphs = (texts) => texts.flatMap((text) => ['.PP', literal(text)]);

/** The synopsis from a usage line such as `vkmemd [options]`, with the name in bold. */
function synopsis(usage) {
  const [, name, rest] = /^([a-z ]+)(.*)$/.exec(usage);
  return ['.PP', `\\fB${literal(name.trim())}\\fR ${literal(rest)}`];
}

function commandRoff([words, help]) {
  const { usage, before, lists, after, examples } = parseHelp(help);
  const own = (lists.get('Options') ?? []).filter(({ term }) => !term.startsWith('-h, '));
  return [
    `.SS "${literal(words)}"`,
    ...synopsis(usage),
    ...paragraphs(before),
    ...list(lists.get('Arguments')),
    ...list(own),
    ...list(lists.get('Commands')),
    ...paragraphs(after),
    ...(examples.length > 0 ? ['.PP', 'Examples:', ...code(examples)] : []),
  ];
}

/** The page of a program. */
function programRoff(program) {
  const [[, help], ...commands] = helpsOf(program);
  const { usage, before, lists, after, examples } = parseHelp(help);
  const section = program === 'vkmemd' ? 8 : 1;
  return [
    '.SH SYNOPSIS',
    ...synopsis(usage),
    '.SH DESCRIPTION',
    ...paragraphs([...before, ...after]),
    '.SH OPTIONS',
    ...list(lists.get('Options')),
    ...(commands.length > 0 ? ['.SH COMMANDS', ...commands.flatMap(commandRoff)] : []),
    '.SH EXAMPLES',
    ...code(examples),
    roffOf(readFileSync(join(root, `packaging/man/${program}.${section}.md`), 'utf8')),
  ].join('\n');
}

/** docs/policy.md without its title and without references to the repository. */
function policyRoff() {
  const markdown = readFileSync(join(root, 'docs/policy.md'), 'utf8')
    .replace(/^# .*\n/, '## Description\n')
    .replace(/ `test\/[^`]*`[^.]*\./, '');
  return `${roffOf(markdown)}\n.SH "SEE ALSO"\n.PP\n${inline('**vkmemd**(8), **vkmemctl**(1)')}`;
}

/** All pages by name. @param about The version, and the date in the form 2026-01-31. */
export function manualPages(about) {
  const made = (name, section, summary, body) => [
    `${name}.${section}`,
    page({ name, section, summary, ...about }, body),
  ];
  return new Map([
    made('vkmemd', 8, "own a host's Vulkan memory and hand it to other processes", programRoff('vkmemd')),
    made('vkmemctl', 1, 'manage the memory of a vkmemd daemon', programRoff('vkmemctl')),
    made('vkmemd.toml', 5, 'who may connect to vkmemd, and what they may do and have', policyRoff()),
  ]);
}
