/**
 * Tests of the lab add users, write to /etc and to the kernel's triggers, and end processes: they run in a guest
 * only (scripts/lab.mjs).
 */
import { existsSync } from 'node:fs';
import { type Client, connect } from '@vkmemd/client';

if (process.env.VKMEMD_LAB === undefined || !existsSync('/dev/virtio-ports/lab')) {
  throw new Error('this file runs in a guest of the lab: npm run test:lab -- SYSTEM CASE');
}

/** The name of the system in scripts/lab/systems.mjs. */
export const SYSTEM = process.env.VKMEMD_LAB;

/** Of a request: an emulated processor that others use too starts a daemon's front slowly. */
export const TIMEOUT_MS = 180_000;

/** A session with a daemon that a test has started. */
export const connectTo = (runtimeDir: string): Promise<Client> =>
  connect({ runtimeDir, clientName: 'lab', timeoutMs: TIMEOUT_MS });
