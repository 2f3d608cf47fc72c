/**
 * Loaded into a program before it begins (node --import): in place of reading its arguments it prints its own help and
 * that of each of its commands, as JSON, [[words, help], ...], unbroken lines, and ends.
 */
import { Command } from 'commander';

const UNBROKEN = 100_000;

function helpOf(command) {
  let help = '';
  const write = (text) => {
    help += text;
  };
  command.configureOutput({ writeOut: write, getOutHelpWidth: () => UNBROKEN }).outputHelp();
  return help;
}

const helps = (command, words) => [
  [words.join(' '), helpOf(command)],
  ...command.commands.flatMap((inner) => helps(inner, [...words, inner.name()])),
];

function printHelps() {
  // Written when it returns: to a pipe or a file Node.js writes at once.
  process.stdout.write(JSON.stringify(helps(this, [])));
  process.exit();
}

Command.prototype.parse = printHelps;
Command.prototype.parseAsync = printHelps;
