/**
 * vkmemctl reload: has the daemon read its policy again.
 *
 * The files are the daemon's, on its host; nothing of them goes through this program.
 */
import type { Command } from 'commander';
import type { PolicyReport } from '../control.js';
import { actionOf, newCommand } from './command.js';
import { count, table } from './format.js';

const DESCRIPTION = `Have the daemon read its policy again, as SIGHUP does.

For operators. A policy with a fault changes nothing: the one before it stays in force, and every fault is told with its
file, line and column. Sessions and what they were granted stay; the new rights hold from each one's next request on.`;

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
    .summary('have the policy read again')
    .action(
      actionOf(async ({ control, print }) => {
        const report = await control.policy.reload();
        print(report, () => text(report));
      }),
    );
}
