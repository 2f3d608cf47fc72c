/**
 * The rates of what the front answers by itself, gRPC's health and reflection services: messages by tenant. All other
 * calls have the core's rates.
 */
import { ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from '@grpc/grpc-js';
import { disposable, statusOf, VkmemError } from '@vkmemd/proto';
import { TokenBucket } from '../limits/token-bucket.js';
import { grpcFault } from './grpc-faults.js';

const PER_SECOND = 100;
const BURST = 100;
const SERVICES_OF_CORE = /^\/vkmem\./;
/** Rates of tenants without a connection are kept, so that one that connects again has no new burst; up to this number. */
const MAX_KEPT = 1024;

export class OwnRates {
  readonly #rates = new Map<string, { readonly rate: TokenBucket; connections: number }>();
  /** The tenant of each connection, by its address. */
  readonly #tenants = new Map<string, string>();

  /** A connection has begun; the result is disposed when it has ended. */
  begin(address: string, tenant: string): Disposable {
    const entry = this.#rates.get(tenant) ?? { rate: new TokenBucket(PER_SECOND, BURST), connections: 0 };
    entry.connections += 1;
    this.#rates.set(tenant, entry);
    this.#tenants.set(address, tenant);
    return disposable(() => {
      entry.connections -= 1;
      this.#tenants.delete(address);
      if (entry.connections === 0 && this.#rates.size > MAX_KEPT) this.#rates.delete(tenant);
    });
  }

  /** The key of the tenant of a connection. */
  tenantOf(address: string): string | undefined {
    return this.#tenants.get(address);
  }

  /** Refuses messages beyond the rate. */
  readonly interceptor: ServerInterceptor = ({ path }, call) => {
    // Most calls: a wrapper would cost them some microseconds.
    if (SERVICES_OF_CORE.test(path)) return call as ServerInterceptingCall;
    const address = call.getPeer();
    const listener = new ServerListenerBuilder().withOnReceiveMessage((message, next) => {
      const wait = this.#wait(address);
      if (wait === 0) next(message);
      else call.sendStatus(grpcFault(statusOf(refusal(wait))));
    });
    return new ServerInterceptingCall(call, { start: (next) => next(listener.build()) });
  };

  /** Takes a message. @returns the milliseconds until one is permitted; 0 if it is. */
  #wait(address: string): number {
    return this.#rates.get(this.#tenants.get(address) ?? '')?.rate.tryTake() ?? 0;
  }
}

const refusal = (wait: number): VkmemError =>
  new VkmemError('RATE_LIMITED', `The tenant may ask gRPC's own services again in ${wait} ms.`, {
    retry_after_ms: String(wait),
  });
