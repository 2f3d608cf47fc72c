/**
 * Runs a bundle and, when it exits, writes V8's cached data beside it: node v8-cache.cjs FOLDER NAME PROGRAM [ARGUMENT...]
 * PROGRAM is the path that starts it, which a supervisor starts its child by.
 */
const { openSync, writeFileSync } = require('node:fs');
const { join } = require('node:path');

const [, , folder, name, ...command] = process.argv;
process.argv = [process.execPath, ...command];
const runBundle = require(join(folder, 'loader.cjs'));
const cacheOf = runBundle(name);
// Opened now: the front may open no file later.
const file = openSync(join(folder, `${name}.v8-cache`), 'w');
process.on('exit', () => writeFileSync(file, cacheOf()));
