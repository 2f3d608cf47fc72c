#!/usr/bin/env node
// Committed, so that npm can link it before anything is built. Chooses the program: the keeper must not load the daemon.
const ENDS = ['--help', '-h', '--version', '-V', '--check-config', '--unit-settings'];
const serves = (option) => !ENDS.includes(option);
const args = process.argv.slice(2);
if (args.includes('--keeper') && args.every(serves)) {
  await import('../dist/keeper/main.js');
} else {
  if (process.env.VKMEMD_KEEPER !== undefined) {
    const { beginAsChild } = await import('../dist/keeper/begin.js');
    beginAsChild(process.env);
  }
  await import('../dist/main.js');
}
