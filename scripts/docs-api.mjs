/**
 * The reference of the public API, from the docstrings: `npm run docs:api` writes HTML into dist-api/. With
 * --check nothing is written. Fails where typedoc warns: for a link that leads nowhere, or a type that the
 * API mentions and no package exports. What is documented is in typedoc.json.
 */
import { Application } from 'typedoc';

/**
 * Package -> types that it mentions and does not export. typedoc looks for missing exports in one package,
 * the project's, so each of ours is the project's once.
 */
const PACKAGES = {
  '@vkmemd/client': [],
  // Of what is generated from the schemas: the types by name (codec.ts), and the objects that enums are
  // derived from.
  '@vkmemd/proto': [
    'Messages',
    ...[
      'Access',
      'AllocationEvent',
      'AllocationState',
      'BudgetSource',
      'CacheType',
      'DeviceType',
      'ImageTiling',
    ],
    ...['ImageType', 'Kind', 'Lifetime', 'Pressure', 'ReadOnlyStrength', 'Rung', 'Sharing'],
  ],
  vkmemd: [],
};

/** Entry point -> the name under which programs import it. */
const MODULES = {
  'client/typescript': '@vkmemd/client',
  proto: '@vkmemd/proto',
  'proto/kernel': '@vkmemd/proto/kernel',
  'daemon/daemon': 'vkmemd',
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
  for (const module of project.children) module.name = MODULES[module.name] ?? module.name;
  project.packageName = undefined;
  if (!checkOnly) await app.generateOutputs(project);
}
const { errorCount, validationWarningCount, warningCount } = app.logger;
if (!project || errorCount + validationWarningCount + warningCount > 0) process.exitCode = 1;
