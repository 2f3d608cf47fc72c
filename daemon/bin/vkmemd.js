#!/usr/bin/env node
// Committed, so that npm can link it before anything is built. Selects the program: the supervisor must not load the daemon.
// --keeper and VKMEMD_KEEPER are the old names, accepted for one release (docs/supervisor.md).
const SUPERVISOR = ['--supervisor', '--keeper'];
const ONE_SHOT = ['--help', '-h', '--version', '-V', '--check-config', '--unit-settings'];
const args = process.argv.slice(2);
const given = (options) => args.some((arg) => options.includes(arg));
if (given(SUPERVISOR) && !given(ONE_SHOT)) {
  await import('../dist/supervisor/main.js');
} else {
  if ((process.env.VKMEMD_SUPERVISOR ?? process.env.VKMEMD_KEEPER) !== undefined) {
    const { beginAsChild } = await import('../dist/supervisor/environment.js');
    beginAsChild(process.env);
  }
  await import('../dist/main.js');
}
