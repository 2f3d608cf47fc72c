#!/usr/bin/env node
// Committed, so that npm can link it before anything is built.
import { runProgram } from '@vkmemd/proto/run-program';

await runProgram(import.meta.url, 'vkmemctl', 'cli/main.js');
