/**
 * A seat: a daemon on one driver, one client of it, and its device in ListDevices.
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

/** The time for which an abandoned request may still be in progress. */
const SETTLING_MS = 5000;

export class Seat {
  readonly driver: Driver;
  readonly client: Client;
  readonly device: Device;
  readonly runtimeDir: string;
  /** The daemon logs unexpected errors here. */
  readonly log: () => string;

  private constructor(driver: Driver, client: Client, device: Device, runtimeDir: string, log: () => string) {
    this.driver = driver;
    this.client = client;
    this.device = device;
    this.runtimeDir = runtimeDir;
    this.log = log;
  }

  /**
   * A daemon that lets this user import. It ends with the test, which fails if the daemon still holds
   * anything.
   */
  static async open(t: Test, driver: Driver): Promise<Seat> {
    const uid = String(process.getuid?.() ?? 0);
    const device = driver.device === undefined ? [] : ['--device', driver.device];
    const { runtimeDir, log } = await startDaemon(t, {
      runtimeDir: temporaryFolder(t),
      args: ['--allow-import', uid, ...device],
      env: { VK_DRIVER_FILES: driver.files },
    });
    const client = await connect({ runtimeDir, clientName: 'matrix' });
    t.teardown(() => client.close());
    const { devices } = await client.devices();
    const [only] = devices;
    if (!only || devices.length > 1) throw new Error(`the daemon has ${devices.length} devices`);
    return new Seat(driver, client, only, runtimeDir, log);
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
