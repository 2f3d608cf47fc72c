/**
 * gRPC's reflection services, which are made at their first call: indexing the whole contract takes longer
 * than everything else that gRPC does at a start, and reflection is rarely used.
 */
import type { handleBidiStreamingCall, Server, ServiceDefinition } from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';

type PackageDefinition = ConstructorParameters<typeof ReflectionService>[0];
type Handler = handleBidiStreamingCall<unknown, unknown>;
type Handlers = Record<string, Handler>;

/** The services of a ReflectionService and their handlers, as it would add them to a server. */
function servicesOf(definition: PackageDefinition): [ServiceDefinition, Handlers][] {
  const added: [ServiceDefinition, Handlers][] = [];
  const addService = (service: ServiceDefinition, handlers: Handlers) => added.push([service, handlers]);
  new ReflectionService(definition).addToServer({ addService } as unknown as Server);
  return added;
}

/** Adds the reflection services to the server. @param definition of all that the server serves. */
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
