/**
 * Load: the policy of all files and of the command line, or everything that is wrong with it.
 *
 * Later files' settings replace earlier ones', their rules come after; what the command line says comes last of all.
 * Files are all read before any of them is judged, and all are judged before anything is said.
 */
import { type Finding, Findings, type Place, PolicyError } from './findings.js';
import { Names } from './names.js';
import { DEFAULT_PRESSURE, Policy, type Rule, self, type Thresholds } from './policy.js';
import { type FileTerms, namesIn, readFile } from './read.js';
import { readSources, type Sources } from './sources.js';
import { type Parsed, parse, type Source, type Table } from './toml.js';
import { warnOf } from './warnings.js';

/** What the command line says. */
export interface PolicySettings extends Sources {
  /** Users who may import memory of their own. */
  readonly importers: ReadonlySet<number>;
  readonly pressure: Partial<Thresholds>;
  /** Of the sockets, whose members may connect where no rule says who may. Default: the daemon's own. */
  readonly socketGroups?: ReadonlySet<number>;
}

export interface LoadedPolicy {
  readonly policy: Policy;
  readonly warnings: readonly Finding[];
}

/**
 * @param parsing Where the files are parsed. Default: here, while nobody waits for anything else.
 * @throws PolicyError with every fault.
 */
export async function loadPolicy(
  settings: PolicySettings,
  parsing: (sources: readonly Source[]) => Promise<Parsed[]> = async (sources) => sources.map(parse),
): Promise<LoadedPolicy> {
  const findings = new Findings();
  const sources = await readSources(settings, findings);
  const parsed = await parsing(sources);
  const roots = parsed.flatMap((file) => ('root' in file ? [file.root] : []));
  findings.faults.push(...parsed.flatMap((file) => ('fault' in file ? [file.fault] : [])));
  const complete = findings.faults.length === 0;
  const names = await Names.lookUp(allNames(roots));
  const terms = roots.map((root) => readFile(root, names, findings));
  const pressure = pressureOf(terms, settings.pressure, complete ? findings : undefined);
  const rules = terms.flatMap(({ rules }) => rules);
  const said = {
    rules: [...rules.map(({ rule }) => rule), ...importRule(settings.importers)],
    limits: Object.assign({}, ...terms.map(({ limits }) => limits)),
    pressure,
    overcommit: terms.findLast(({ overcommit }) => overcommit !== undefined)?.overcommit ?? false,
    files: sources.map(({ file }) => file),
  };
  const policy = new Policy(said, { ...self(), socketGroups: settings.socketGroups });
  // Where a fault has kept something from being read, what is left looks odder than it is.
  if (findings.faults.length === 0) warnOf(rules, policy, findings);
  findings.sort(policy.files);
  if (findings.faults.length > 0) throw new PolicyError(findings);
  return { policy, warnings: findings.warnings };
}

function allNames(roots: readonly Table[]) {
  const wanted = roots.map(namesIn);
  return {
    passwd: new Set(wanted.flatMap(({ passwd }) => [...passwd])),
    group: new Set(wanted.flatMap(({ group }) => [...group])),
  };
}

/** --allow-import is a rule after all others. */
function importRule(importers: ReadonlySet<number>): Rule[] {
  if (importers.size === 0) return [];
  return [{ where: '--allow-import', match: { uids: importers }, gives: { import: true } }];
}

/**
 * The thresholds in force. They are checked together: one may stand in a file and the other elsewhere.
 * @param findings undefined where a file could not be read, which may be the one that mends it.
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
  findings?.fault(at, `elevated (${elevated}) is above critical (${critical}); allowed: at most as much.`);
  return DEFAULT_PRESSURE;
}
