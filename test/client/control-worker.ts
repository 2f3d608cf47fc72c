/**
 * A program that calls the control socket once and leaves its client open. Usage: control-worker.js
 * RUNTIME_DIR
 */
import { connectControl } from '@vkmemd/client';

const control = connectControl({ runtimeDir: process.argv[2] });
process.stdout.write(String((await control.list()).length));
