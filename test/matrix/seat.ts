/**
 * A seat: a daemon on one driver, one client of it, its device in ListDevices, and a process that imports.
 *
 * settled() asserts that a case left nothing: every count is back to that of one idle session, and every
 * heap's account to zero.
 */
import { deepStrictEqual } from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { type Client, connect } from '@vkmemd/client';
import { type Decoded, type Device, type KindName, kindToWire } from '@vkmemd/proto';
import type { Test } from 'tap';
import { NOTHING, startDaemon, temporaryFolder } from '../support/daemon.js';
import type { Driver } from './drivers.js';
import { Peer } from './peer.js';

/** The time for which an abandoned request may still be in progress. */
const SETTLING_MS = 5000;

/** Of a request: where a processor is emulated, a daemon needs long to start. */
const TIMEOUT_MS = 120_000;

export class Seat {
  readonly driver: Driver;
  readonly client: Client;
  readonly device: Device;
  readonly runtimeDir: string;
  readonly peer: Peer;
  /** The daemon logs unexpected errors here. */
  readonly log: () => string;

  private constructor(parts: Pick<Seat, 'driver' | 'client' | 'device' | 'runtimeDir' | 'peer' | 'log'>) {
    this.driver = parts.driver;
    this.client = parts.client;
    this.device = parts.device;
    this.runtimeDir = parts.runtimeDir;
    this.peer = parts.peer;
    this.log = parts.log;
  }

  /**
   * A daemon that lets this user import. It ends with the test, which fails if the daemon still holds
   * anything, or if the importing process failed.
   */
  static async open(t: Test, driver: Driver): Promise<Seat> {
    const uid = String(process.getuid?.() ?? 0);
    const device = driver.device === undefined ? [] : ['--device', driver.device];
    const { runtimeDir, log } = await startDaemon(t, {
      runtimeDir: temporaryFolder(t),
      args: ['--allow-import', uid, ...device],
      env: { VK_DRIVER_FILES: driver.files },
    });
    const client = await connect({ runtimeDir, clientName: 'matrix', timeoutMs: TIMEOUT_MS });
    t.teardown(() => client.close());
    const { devices } = await client.devices();
    const [only] = devices;
    if (!only || devices.length > 1) throw new Error(`the daemon has ${devices.length} devices`);
    const peer = new Peer(driver.files);
    t.teardown(() => peer.close());
    return new Seat({ driver, client, device: only, runtimeDir, peer, log });
  }

  /** The daemon's report about a kind, made at its start. */
  report(kind: KindName): Decoded<'KindReport'> {
    const found = this.device.kinds.find((report) => report.kind === kindToWire(kind));
    if (!found) throw new Error(`ListDevices does not name ${kind}`);
    return found;
  }

  /** Whether the kind is not UNSUPPORTED. */
  offers(kind: KindName): boolean {
    return this.report(kind).rung !== 'RUNG_UNSUPPORTED';
  }

  /**
   * Waits until the daemon holds only this session.
   * @throws AssertionError after a time limit.
   */
  async settled(): Promise<void> {
    const wanted = { counts: { ...NOTHING, sessions: 1 }, charged: [] as unknown[] };
    const look = async () => {
      const { heaps, counts } = await this.client.budget();
      const charged = heaps.filter((heap) => heap.liveBytes + heap.drainingBytes + heap.reservedBytes > 0n);
      return { counts: { ...counts }, charged };
    };
    let found = await look();
    for (const end = Date.now() + SETTLING_MS; !isDeepStrictEqual(found, wanted) && Date.now() < end; ) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      found = await look();
    }
    deepStrictEqual(found, wanted, "the daemon's counts after a case");
  }
}
