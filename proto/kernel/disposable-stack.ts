/**
 * DisposableStack and AsyncDisposableStack of ECMAScript 2026, for Node.js versions that lack them (before
 * 24).
 *
 * All clean-up uses Disposables: code that opens resources puts them onto a stack, and passes them on with
 * `move()` when nothing can fail any more. Resources are disposed in reverse order; all of them, even if one
 * fails.
 */

type Callback = () => unknown;

/** @throws The failure, or an AggregateError where there are several. */
function rethrow(failures: readonly unknown[]): void {
  if (failures.length === 1) throw failures[0];
  if (failures.length > 1) throw new AggregateError(failures, 'Several resources could not be disposed.');
}

class ShimStack {
  #callbacks: Callback[] = [];
  #disposed = false;

  get disposed(): boolean {
    return this.#disposed;
  }

  use<T extends Disposable | AsyncDisposable | null | undefined>(resource: T): T {
    const dispose =
      (resource as Disposable | undefined)?.[Symbol.dispose] ??
      (resource as AsyncDisposable | undefined)?.[Symbol.asyncDispose];
    if (resource) this.defer(() => dispose?.call(resource));
    return resource;
  }

  adopt<T>(value: T, dispose: (value: T) => unknown): T {
    this.defer(() => dispose(value));
    return value;
  }

  defer(callback: Callback): void {
    if (this.#disposed) throw new ReferenceError('The stack is disposed.');
    this.#callbacks.push(callback);
  }

  move(): this {
    const moved = new (this.constructor as new () => this)();
    for (const callback of this.surrender()) moved.defer(callback);
    return moved;
  }

  protected surrender(): Callback[] {
    if (this.#disposed) return [];
    this.#disposed = true;
    return this.#callbacks.splice(0);
  }
}

class SyncShim extends ShimStack {
  readonly [Symbol.toStringTag] = 'DisposableStack';

  dispose(): void {
    const failures: unknown[] = [];
    for (const callback of this.surrender().reverse()) {
      try {
        callback();
      } catch (failure) {
        failures.push(failure);
      }
    }
    rethrow(failures);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}

class AsyncShim extends ShimStack {
  readonly [Symbol.toStringTag] = 'AsyncDisposableStack';

  async disposeAsync(): Promise<void> {
    const failures: unknown[] = [];
    for (const callback of this.surrender().reverse()) {
      try {
        await callback();
      } catch (failure) {
        failures.push(failure);
      }
    }
    rethrow(failures);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.disposeAsync();
  }
}

const known = globalThis as unknown as {
  readonly DisposableStack?: new () => globalThis.DisposableStack;
  readonly AsyncDisposableStack?: new () => globalThis.AsyncDisposableStack;
};

/** Node's own where it has one. */
export const DisposableStack =
  known.DisposableStack ?? (SyncShim as unknown as new () => globalThis.DisposableStack);
export type DisposableStack = globalThis.DisposableStack;
/** Node's own where it has one. */
export const AsyncDisposableStack =
  known.AsyncDisposableStack ?? (AsyncShim as unknown as new () => globalThis.AsyncDisposableStack);
export type AsyncDisposableStack = globalThis.AsyncDisposableStack;

/** The failures in an error that a stack threw, in the order in which they occurred. */
export function disposalFailures(thrown: unknown): unknown[] {
  if (thrown instanceof AggregateError) return thrown.errors.flatMap(disposalFailures);
  const { error, suppressed } = (thrown ?? {}) as { error?: unknown; suppressed?: unknown };
  const isSuppressed = (thrown as Error | undefined)?.name === 'SuppressedError';
  return isSuppressed ? [...disposalFailures(suppressed), ...disposalFailures(error)] : [thrown];
}

/** A Disposable that calls `dispose` once, even if it is disposed several times. */
export function disposable(dispose: () => void): Disposable {
  let disposed = false;
  return {
    [Symbol.dispose]() {
      if (disposed) return;
      disposed = true;
      dispose();
    },
  };
}

/** A Disposable that holds nothing. */
export const NOTHING_HELD: Disposable = { [Symbol.dispose]() {} };
