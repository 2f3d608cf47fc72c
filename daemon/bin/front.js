#!/usr/bin/env node
// The front, which the daemon starts as a process of its own (daemon/callers/front-process.ts).
import { runProgram } from '@vkmemd/proto/run-program';

await runProgram(import.meta.url, 'front', 'front/main.js');
