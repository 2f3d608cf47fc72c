/**
 * QEMU's qtest protocol, a line a command and a line an answer, which come in order: what a guest's processor
 * would do to ports and memory is done by the test, while the machine's processors stand still. Devices are
 * real and so is what they do to memory; there is no guest program, hence no driver that could get in the
 * way.
 *
 * QEMU connects to a socket that the test listens on, so that there is nothing to wait for.
 */
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';

/** How much one command moves; a line of QEMU's may be longer, but is made in one piece. */
const CHUNK = 1 << 20;

const hex = (value: bigint | number) => `0x${value.toString(16)}`;

export class Qtest {
  readonly #socket: Socket;
  readonly #waiting: { resolve(answer: string): void; reject(reason: Error): void }[] = [];
  #ended: Error | undefined;

  /** @param socket QEMU's connection, owned from here. */
  constructor(socket: Socket) {
    this.#socket = socket;
    const lines = createInterface({ input: socket });
    lines.on('error', () => {}); // The socket's, whose end follows.
    lines.on('line', (line) => {
      if (line.startsWith('IRQ ')) return; // Lines of interrupts are nobody's answer.
      const waiting = this.#waiting.shift();
      if (line === 'OK' || line.startsWith('OK ')) waiting?.resolve(line.slice(3));
      else waiting?.reject(new Error(`qtest: ${line}`));
    });
    socket.on('close', () => {
      this.#ended = new Error('qtest: QEMU has ended');
      for (const { reject } of this.#waiting.splice(0)) reject(this.#ended);
    });
  }

  /** What follows the OK of a command. Rejects where QEMU refuses it, or has ended. */
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
