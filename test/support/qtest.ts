/**
 * QEMU's qtest protocol: one command a line, one answer a line, in order. The test performs the accesses to
 * ports and memory that a guest's processor would perform, while the machine's processors are stopped. The
 * devices are real, and so are their accesses to memory; there is no guest program, hence no driver that
 * could interfere.
 *
 * QEMU connects to a socket that the test listens on, so that the test need not poll.
 */
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** Bytes that one command moves. QEMU accepts longer lines, but builds each one in memory as a whole. */
const CHUNK = 1 << 20;

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

export class Qtest {
  readonly #socket: Socket;
  readonly #waiting: { resolve(answer: string): void; reject(reason: Error): void }[] = [];
  #ended: Error | undefined;

  /** @param socket QEMU's connection, owned by this object. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // The socket's errors; its `close` event follows.
    lines.on('line', (line) => {
      if (line.startsWith('IRQ ')) return; // Lines about interrupts are not answers.
      const waiting = this.#waiting.shift();
      if (line === 'OK' || line.startsWith('OK ')) waiting?.resolve(line.slice(3));
      else waiting?.reject(new Error(`qtest: ${line}`));
    });
    socket.on('close', () => {
      this.#ended = new Error('qtest: QEMU has ended');
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    });
  }

  /** The text after the OK of a command. Rejects if QEMU returns an error, or has ended. */
  command(...words: readonly string[]): Promise<string> {
    if (this.#ended) return Promise.reject(this.#ended);
    const answer = new Promise<string>((resolve, reject) => this.#waiting.push({ resolve, reject }));
    this.#socket.write(`${words.join(' ')}\n`);
    return answer;
  }

  async #number(...words: readonly string[]): Promise<bigint> {
    return BigInt(await this.command(...words));
  }

  /** Reads a port of 1, 2 or 4 bytes. */
  async portIn(port: number, size: 1 | 2 | 4): Promise<number> {
    return Number(await this.#number({ 1: 'inb', 2: 'inw', 4: 'inl' }[size], hex(port)));
  }

  async portOut(port: number, size: 1 | 2 | 4, value: number): Promise<void> {
    await this.command({ 1: 'outb', 2: 'outw', 4: 'outl' }[size], hex(port), hex(value >>> 0));
  }

  /** 32 bits of guest memory, or of a device there, in one access. */
  async read32(address: bigint): Promise<number> {
    return Number(await this.#number('readl', hex(address)));
  }

  async write32(address: bigint, value: number): Promise<void> {
    await this.command('writel', hex(address), hex(value >>> 0));
  }

  read64(address: bigint): Promise<bigint> {
    return this.#number('readq', hex(address));
  }

  async write64(address: bigint, value: bigint): Promise<void> {
    await this.command('writeq', hex(address), hex(value));
  }

  /** Bytes of guest memory. */
  async read(address: bigint, length: number): Promise<Buffer> {
    const bytes = Buffer.alloc(length);
    for (let at = 0; at < length; at += CHUNK) {
      const size = Math.min(CHUNK, length - at);
      const answer = await this.command('b64read', hex(address + BigInt(at)), hex(size));
      bytes.set(Buffer.from(answer, 'base64'), at);
    }
    return bytes;
  }

  async write(address: bigint, bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length; at += CHUNK) {
      const part = Buffer.from(bytes.subarray(at, at + CHUNK));
      await this.command('b64write', hex(address + BigInt(at)), hex(part.length), part.toString('base64'));
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}
