/**
 * Loaded into a program before it starts (node --import). Instead of parsing its arguments the program prints
 * its help and the help of each of its commands as JSON, [[words, help], ...], without line breaks within
 * paragraphs, and exits.
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
  // Node.js writes to a pipe or a file synchronously, so the output is complete before the exit.
  process.stdout.write(JSON.stringify(helps(this, [])));
  process.exit();
}

Command.prototype.parse = printHelps;
Command.prototype.parseAsync = printHelps;
