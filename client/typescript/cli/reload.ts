/**
 * vkmemctl reload: makes the daemon read its policy again.
 *
 * The daemon reads the files on its host; this program does not transfer them.
 */
import type { Command } from 'commander';
import type { PolicyReport } from '../control.js';
import { actionOf, newCommand } from './command.js';
import { count, table } from './format.js';

const DESCRIPTION = `Make the daemon read its policy again, as SIGHUP does. For operators.

An invalid policy changes nothing: the previous one stays in force. As many faults as fit an answer are
printed, each with its file, line and column, and the command that prints all of them. Sessions and their grants stay; the new rights apply to the next request of each session.`;

const COLUMNS = [{ heading: 'ORDER', right: true }, { heading: 'FILE' }] as const;

function text({ files, rules }: PolicyReport): string {
  const rows = files.map((file, index) => [String(index + 1), file]);
  const list = files.length === 0 ? ['No files: the defaults are in force.'] : [table(COLUMNS, rows)];
  return [
    ...list,
    '',
    `The policy is in force: ${count(files.length, 'file')}, ${count(rules, 'rule')}.`,
  ].join('\n');
}

export function reloadCommand(): Command {
  return newCommand('reload', DESCRIPTION, ['reload', 'reload --json'])
    .summary('make the daemon read its policy again')
    .action(
      actionOf(async ({ control, print }) => {
        const report = await control.policy.reload();
        print(report, () => text(report));
      }),
    );
}
