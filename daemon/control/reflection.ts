/**
 * gRPC's reflection services, which are made when somebody first asks: to index the whole contract takes
 * longer than all else that gRPC needs at a start, and hardly anybody asks.
 */
import type { handleBidiStreamingCall, Server, ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];
type Handler = handleBidiStreamingCall<unknown, unknown>;
type Handlers = Record<string, Handler>;

/** The services of a reflection service, and what serves them, as it would have added them to a server. */
function servicesOf(definition: PackageDefinition): [ServiceDefinition, Handlers][] {
  const added: [ServiceDefinition, Handlers][] = [];
  const addService = (service: ServiceDefinition, handlers: Handlers) => added.push([service, handlers]);
  new ReflectionService(definition).addToServer({ addService } as unknown as Server);
  return added;
}

/** Adds them to the server. @param definition of all that it serves. */
export function addReflection(server: Server, definition: PackageDefinition): void {
  let all: [ServiceDefinition, Handlers][] | undefined;
  for (const [index, [service, handlers]] of servicesOf({}).entries()) {
    const lazy = Object.keys(handlers).map((name): [string, Handler] => [
      name,
      (call) => {
        all ??= servicesOf(definition);
        all[index]?.[1][name]?.(call);
      },
    ]);
    server.addService(service, Object.fromEntries(lazy));
  }
}
