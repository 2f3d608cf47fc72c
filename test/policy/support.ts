/** Policies for tests: files in a folder in place of /, read by the daemon's own reader. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Test } from 'tap';
import { findingText, PolicyError } from 'vkmemd/dist/policy/findings.js';
import type { Identity } from 'vkmemd/dist/policy/identity.js';
import { makeIdentity } from 'vkmemd/dist/policy/identity.js';
import { type LoadedPolicy, loadPolicy, type PolicySettings } from 'vkmemd/dist/policy/load.js';
import { temporaryFolder } from '../support/daemon.js';

/** The path of the main policy file. */
export const MAIN = '/etc/vkmemd/vkmemd.toml';

/** Writes files at paths below a folder of the test. */
export function folderOf(t: Test, files: Readonly<Record<string, string>>): string {
  const root = temporaryFolder(t);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

/** The settings of a command line without options for the policy. */
export function settings(root: string, more: Partial<PolicySettings> = {}): PolicySettings {
  return { config: undefined, root, importers: new Set(), pressure: {}, ...more };
}

/** The policy of one file. */
export async function policyOf(t: Test, text: string): Promise<LoadedPolicy> {
  return loadPolicy(settings(folderOf(t, { [MAIN]: text })));
}

/** Every error of the files, without the path of the folder; none if they are valid. */
export async function faultsOf(root: string, more: Partial<PolicySettings> = {}): Promise<string[]> {
  try {
    await loadPolicy(settings(root, more));
    return [];
  } catch (failure) {
    if (!(failure instanceof PolicyError)) throw failure;
    return failure.findings.faults.map((fault) => findingText(fault).replace(root, ''));
  }
}

/** A peer, as the kernel would describe it. */
export function peer(uid: number, more: Partial<Identity> = {}): Identity {
  return makeIdentity({ uid, gid: uid, pid: 1, groups: [], ...more });
}
