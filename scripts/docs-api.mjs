/**
 * Writes the reference of the public API from the docstrings: `npm run docs:api` writes HTML into dist-api/.
 * With --check nothing is written. Fails if typedoc warns: for a broken link, or a type that the API mentions
 * and no package exports. The documented modules are listed in typedoc.json.
 */
import { Application } from 'typedoc';

/**
 * The types that each package mentions and does not export. typedoc checks for missing exports in one package
 * only, that of the project, so the project's name is set to each package in turn.
 */
const PACKAGES = {
  '@vkmemd/client': [],
  // Generated from the schemas: the types by name (codec.ts), and the objects that enums are derived from.
  '@vkmemd/proto': [
    'Messages',
    ...[
      'Access',
      'AllocationEvent',
      'AllocationSource',
      'AllocationState',
      'BudgetSource',
      'CacheType',
      'DeviceType',
      'ImageTiling',
    ],
    ...[
      'DedicatedBy',
      'ImageType',
      'Kind',
      'Lifetime',
      'MetricType',
      'PageSize',
      'Pressure',
      'ReadOnlyStrength',
      'Rung',
      'SemaphoreKind',
      'SemaphoreState',
      'SemaphoreType',
      'Sharing',
    ],
  ],
  vkmemd: [],
};

const checkOnly = process.argv.includes('--check');
const app = await Application.bootstrap();
const project = await app.convert();
if (project) {
  for (const [name, notExported] of Object.entries(PACKAGES)) {
    project.packageName = name;
    app.options.setValue('intentionallyNotExported', notExported);
    app.validate(project);
  }
  project.packageName = undefined;
  if (!checkOnly) await app.generateOutputs(project);
}
const { errorCount, validationWarningCount, warningCount } = app.logger;
if (!project || errorCount + validationWarningCount + warningCount > 0) process.exitCode = 1;
