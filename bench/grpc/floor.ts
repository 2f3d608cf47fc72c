/** The floor of gRPC: server.ts as a process of its own, on the processors of this one. */
import { join } from 'node:path';
import { Program } from '../program.js';

export const ECHO = '/bench.Floor/Echo';
export const BYTES = '/bench.Floor/Bytes';

export class GrpcFloor implements AsyncDisposable {
  readonly socket: string;
  readonly #server: Program;

  private constructor(server: Program, socket: string) {
    this.#server = server;
    this.socket = socket;
  }

  /** @param folder for its socket; the caller removes it. */
  static async start(folder: string): Promise<GrpcFloor> {
    const socket = join(folder, 'grpc-floor.sock');
    const server = Program.node('grpc/server', [socket]);
    await server.line();
    return new GrpcFloor(server, socket);
  }

  get pid(): number {
    return this.#server.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.end();
  }
}
