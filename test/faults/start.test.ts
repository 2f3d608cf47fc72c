/**
 * A start on a failing driver: a device that cannot be opened, or is lost during its probe, ends the daemon
 * with one line; any other failed probe is reported as its result.
 */
import { spawn } from 'node:child_process';
import t, { type Test } from 'tap';
import { daemonProgram, plainEnvironment, plainNode, temporaryFolder } from '../support/daemon.js';
import { FakeLayer } from '../support/fake-layer.js';
import { onFake, reportOn } from './support.js';

// Most of the time is spent waiting.
t.jobs = 3;

/** Starts a daemon that must fail to start. */
async function startInVain(t: Test, line: string) {
  const layer = new FakeLayer(t, line);
  const child = spawn(...plainNode([daemonProgram, '--runtime-dir', temporaryFolder(t)]), {
    env: { ...plainEnvironment(), ...layer.environment },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  return { code, stdout, stderr, leaks: layer.leaks() };
}

t.test('a device that cannot be opened ends the start with one line', { buffered: true }, async (t) => {
  const cases = {
    VK_ERROR_OUT_OF_HOST_MEMORY: 'DEVICE_OUT_OF_MEMORY',
    VK_ERROR_OUT_OF_DEVICE_MEMORY: 'DEVICE_OUT_OF_MEMORY',
    VK_ERROR_INITIALIZATION_FAILED: 'UNAVAILABLE',
    VK_ERROR_EXTENSION_NOT_PRESENT: 'INTERNAL',
    VK_ERROR_FEATURE_NOT_PRESENT: 'INTERNAL',
    VK_ERROR_TOO_MANY_OBJECTS: 'UNAVAILABLE',
    VK_ERROR_DEVICE_LOST: 'DEVICE_LOST',
  };
  for (const [result, code] of Object.entries(cases)) {
    const ended = await startInVain(t, `fail vkCreateDevice * ${result}`);
    t.match(ended, { code: 1, stdout: '', leaks: [] }, result);
    t.match(ended.stderr, new RegExp(`^vkmemd: ${code}: .*vkCreateDevice: ${result}\\.\n$`), 'one line');
  }
});

t.test('a device that is lost during its probe ends the start', { buffered: true }, async (t) => {
  for (const call of ['vkAllocateMemory', 'vkQueueSubmit', 'vkGetMemoryFdKHR', 'vkCreateBuffer']) {
    const ended = await startInVain(t, `fail ${call} 1 VK_ERROR_DEVICE_LOST`);
    const stderr = `vkmemd: DEVICE_LOST: ${call}: VK_ERROR_DEVICE_LOST.\n`;
    t.strictSame(ended, { code: 1, stdout: '', stderr, leaks: [] }, call);
  }
});

t.test('a failed probe makes the kind UNSUPPORTED with its reason', { buffered: true }, async (t) => {
  for (const [result, rung] of [
    ['VK_ERROR_MEMORY_MAP_FAILED', 'RUNG_UNSUPPORTED'],
    ['VK_ERROR_OUT_OF_HOST_MEMORY', 'RUNG_UNSUPPORTED'],
    ['VK_ERROR_UNKNOWN', 'RUNG_UNSUPPORTED'],
  ] as const) {
    await onFake(t, ['host_import absent', `fail vkMapMemory 1 ${result}`], async (host) => {
      const report = await reportOn(host, 'OPAQUE_FD');
      t.match(report, { rung, missing: 'works', reason: `the probe failed: vkMapMemory: ${result}` });
    });
  }
});
