/**
 * Failpoints: named places where tests kill the process, to verify that the next start recovers. In the
 * installed program they do nothing; tests load failing.ts in place of this file (`node
 * --conditions=vkmemd-test`).
 */
export function failpoint(_name: string): void {}
