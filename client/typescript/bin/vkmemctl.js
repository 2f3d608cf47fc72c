#!/usr/bin/env node
// This file is committed, so that npm can link it before the build.
import { runProgram } from '@vkmemd/proto/run-program';

await runProgram(import.meta.url, 'vkmemctl', 'cli/main.js');
