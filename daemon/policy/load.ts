/**
 * Loads the policy from all files and the command line, or reports all of its faults.
 *
 * Settings of later files replace those of earlier ones; rules of later files are appended. The command line
 * comes last. All files are read before any is checked, and all are checked before anything is reported.
 */
import { resolve } from 'node:path';
import { type Finding, Findings, type Place, PolicyError } from './findings.js';
import { Names } from './names.js';
import { DEFAULT_PRESSURE, Policy, type Rule, self, type Thresholds } from './policy.js';
import { type FileTerms, namesIn, readFile } from './read.js';
import { readSources, type Sources } from './sources.js';
import { type Parsed, parse, type Source, type Table } from './toml.js';
import { warnOf } from './warnings.js';

/** The settings of the command line. */
export interface PolicySettings extends Sources {
  /** The uids that may import memory. */
  readonly importers: ReadonlySet<number>;
  readonly pressure: Partial<Thresholds>;
  /**
   * The groups of the sockets. Their members may connect if no rule allows any peer to connect. Default: the
   * daemon's own group.
   */
  readonly socketGroups?: ReadonlySet<number>;
}

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly warnings: readonly Finding[];
  /** The files, with their texts. */
  readonly sources: readonly Source[];
}

/**
 * @param parsing Parses the files. Default: on this thread, which is acceptable before the daemon serves.
 * @param given Files that were read before. Default: they are read.
 * @throws PolicyError with all faults.
 */
export async function loadPolicy(
  settings: PolicySettings,
  parsing: (sources: readonly Source[]) => Promise<Parsed[]> = async (sources) => sources.map(parse),
  given?: readonly Source[],
): Promise<LoadedPolicy> {
  const findings = new Findings();
  const sources = given ?? (await readSources(settings, findings));
  const parsed = await parsing(sources);
  const roots = parsed.flatMap((file) => ('root' in file ? [file.root] : []));
  findings.faults.push(...parsed.flatMap((file) => ('fault' in file ? [file.fault] : [])));
  const complete = findings.faults.length === 0;
  const names = await Names.lookUp(allNames(roots));
  const terms = roots.map((root) => readFile(root, names, findings));
  const pressure = pressureOf(terms, settings.pressure, complete ? findings : undefined);
  const rules = terms.flatMap(({ rules }) => rules);
  const contents = {
    rules: [...rules.map(({ rule }) => rule), ...importRule(settings.importers)],
    limits: Object.assign({}, ...terms.map(({ limits }) => limits)),
    pressure,
    overcommit: terms.findLast(({ overcommit }) => overcommit !== undefined)?.overcommit ?? false,
    files: sources.map(({ file }) => file),
  };
  const policy = new Policy(contents, { ...self(), socketGroups: settings.socketGroups });
  // If there are faults, a part of the policy is missing, and warnings about the rest could be wrong.
  if (findings.faults.length === 0) warnOf(rules, policy, findings);
  findings.sort(policy.files);
  if (findings.faults.length > 0) throw new PolicyError(findings, nextStep(settings));
  return { policy, warnings: findings.warnings, sources };
}

/** The command that prints every fault of these files. */
function nextStep({ config, root }: PolicySettings): string {
  const prefix = resolve(root);
  const files =
    config !== undefined
      ? ` --config ${word(resolve(config))}`
      : prefix === '/'
        ? ''
        : ` --config-root ${word(prefix)}`;
  return `Fix the files at these lines; this prints every fault: vkmemd --check-config${files}`;
}

/** Quotes a path for a shell. */
const word = (path: string): string =>
  /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;

function allNames(roots: readonly Table[]) {
  const wanted = roots.map(namesIn);
  return {
    passwd: new Set(wanted.flatMap(({ passwd }) => [...passwd])),
    group: new Set(wanted.flatMap(({ group }) => [...group])),
  };
}

/** --allow-import as a rule that follows all others. */
function importRule(importers: ReadonlySet<number>): Rule[] {
  if (importers.size === 0) return [];
  return [{ where: '--allow-import', match: { uids: importers }, gives: { import: true } }];
}

/**
 * The thresholds in force. They are checked together, because they may be set in different files.
 * @param findings Undefined if a file could not be read or parsed: it might have set a valid threshold.
 */
function pressureOf(
  terms: readonly FileTerms[],
  given: Partial<Thresholds>,
  findings: Findings | undefined,
): Thresholds {
  const places = new Map<keyof Thresholds, Place>();
  for (const { pressureAt } of terms) for (const [part, at] of pressureAt) places.set(part, at);
  const pressure = { ...DEFAULT_PRESSURE };
  for (const one of [...terms.map(({ pressure }) => pressure), given]) Object.assign(pressure, one);
  const { elevated, critical } = pressure;
  if (elevated <= critical) return pressure;
  const part = given.critical === undefined && places.has('critical') ? 'critical' : 'elevated';
  const at = places.get(part) ?? {
    file: `--pressure-${given.elevated === undefined ? 'critical' : 'elevated'}`,
  };
  findings?.fault(at, `elevated (${elevated}) is above critical (${critical}); allowed: at most critical.`);
  return DEFAULT_PRESSURE;
}
