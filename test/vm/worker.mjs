/**
 * Shared by the sandboxed workers that communicate with a guest: an inherited session, memory that is claimed
 * by name, and a peer of its ivshmem server. They print a line of JSON for each result.
 */
import { connect } from '@vkmemd/client';

export const report = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

export class Worker {
  /** The memory in words of 32 bits. */
  words;
  #client;
  #peer;
  #rung = 0;
  #wake = () => {};

  constructor(client, peer, map) {
    this.#client = client;
    this.#peer = peer;
    this.words = new Uint32Array(map.bytes.buffer, map.bytes.byteOffset, map.length / 4);
    peer.on('interrupt', () => {
      this.#rung += 1;
      this.#wake();
    });
  }

  /** Joins, and prints its peer id, which the guest needs to ring it. */
  static async join(name) {
    const client = await connect();
    const map = (await client.claim({ name })).map();
    const peer = await client.ivshmem.join({ name });
    report({ peer: peer.id });
    return new Worker(client, peer, map);
  }

  /** Waits until it is rung. Each side rings only in answer to the other, so at most one ring is pending. */
  async rung() {
    while (this.#rung === 0) {
      await new Promise((resolve) => {
        this.#wake = resolve;
      });
    }
    this.#rung -= 1;
  }

  /** Rings the guest, the only other peer. */
  ring() {
    const [guest] = this.#peer.peers;
    this.#peer.ring(guest, 0);
  }

  async leave() {
    this.#peer.close();
    await this.#client.close();
  }
}
