/** Runs dependency-cruiser on the sources with the rules of .dependency-cruiser.cjs. */
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from '../support/daemon.js';

/**
 * One import of a file, types included. `resolved` is a path from the root, or the name of a module of
 * Node.js.
 */
export interface Import {
  readonly file: string;
  readonly resolved: string;
  readonly typesOnly: boolean;
}

export interface Cruised {
  readonly imports: readonly Import[];
  /** The violations, as `rule: file imports file`; for a cycle all its files. */
  readonly violations: readonly string[];
}

interface Output {
  readonly modules: readonly {
    readonly source: string;
    readonly dependencies: readonly {
      readonly resolved: string;
      readonly dependencyTypes: readonly string[];
    }[];
  }[];
  readonly summary: {
    readonly violations: readonly {
      readonly rule: { readonly name: string };
      readonly from: string;
      readonly to: string;
      readonly cycle?: readonly { readonly name: string }[];
    }[];
  };
}

/** @param folder contains `daemon`, `client` and `proto`, and the rules. */
export function cruise(folder = root): Cruised {
  const program = join(root, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = ['--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'daemon', 'client', 'proto'];
  const options = { cwd: folder, encoding: 'utf8', maxBuffer: 1 << 28 } as const;
  const { modules, summary }: Output = JSON.parse(
    execFileSync(process.execPath, [program, ...args], options),
  );
  const imports = modules.flatMap(({ source, dependencies }) =>
    dependencies.map(({ resolved, dependencyTypes }) => ({
      file: source,
      resolved,
      typesOnly: dependencyTypes.includes('type-only'),
    })),
  );
  const violations = summary.violations.map(({ rule, from, to, cycle }) => {
    const target = cycle ? cycle.map(({ name }) => name).join(', which imports ') : to;
    return `${rule.name}: ${from} imports ${target}`;
  });
  return { imports, violations };
}
