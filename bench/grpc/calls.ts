/** Calls of one unary method by grpc-js, with the same bytes each time, to a Unix socket. */
import { Client, credentials } from '@grpc/grpc-js';

const same = (bytes: Buffer): Buffer => bytes;

export class GrpcCalls implements Disposable {
  readonly #client: Client;
  readonly #method: string;
  readonly #request: Buffer;

  /** @param method Such as `/vkmem.v1.MemoryService/GetAllocation`. */
  constructor(socket: string, method: string, request: Buffer) {
    const options = { 'grpc.max_receive_message_length': -1 };
    this.#client = new Client(`unix:${socket}`, credentials.createInsecure(), options);
    this.#method = method;
    this.#request = request;
  }

  /** @returns the answer. */
  call(): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(this.#method, same, same, this.#request, (failure, answer) =>
        failure || !answer ? reject(failure ?? new Error('no answer')) : resolve(answer),
      );
    });
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }
}
