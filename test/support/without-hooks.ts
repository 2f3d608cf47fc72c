/**
 * Import it before tap. tap follows every promise with an async hook, which multiplies what promises and the collection
 * of garbage cost: a daemon has none. withoutHooks() pauses the hooks.
 */
import hooks, { type AsyncHook } from 'node:async_hooks';
import { syncBuiltinESMExports } from 'node:module';

const made: AsyncHook[] = [];
const { createHook } = hooks;
hooks.createHook = (callbacks) => {
  const hook = createHook(callbacks);
  made.push(hook);
  return hook;
};
syncBuiltinESMExports();

/** @throws Error if tap was imported before. */
export async function withoutHooks<T>(work: () => Promise<T>): Promise<T> {
  if (made.length === 0) throw new Error('without-hooks.js must be imported before tap');
  for (const hook of made) hook.disable();
  try {
    return await work();
  } finally {
    for (const hook of made) hook.enable();
  }
}
