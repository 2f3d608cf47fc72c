/**
 * ReloadPolicy: reads the policy again.
 */
import type { Authority } from '../memory/authority.js';
import type { Reload } from '../memory/reload.js';
import { type Handler, reply } from './handler.js';

interface Collaborators {
  readonly authority: Authority;
  readonly reload: Reload;
}

/** @throws VkmemError NOT_PERMITTED unless the caller is an operator; POLICY_INVALID. */
export function reloadPolicy({ authority, reload }: Collaborators): Handler<'ReloadPolicy'> {
  return async ({ identity }) => {
    authority.requireOperator(identity);
    const { files, rules } = await reload.run();
    return reply({ files: [...files], rules: rules.length });
  };
}
