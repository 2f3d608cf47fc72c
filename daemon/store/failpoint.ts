/**
 * Failpoints: named places where tests kill the process, to see that the next start recovers. In the program
 * as it is installed each does nothing; tests load failing.ts in place of this file (`node
 * --conditions=vkmemd-test`).
 */
export function failpoint(_name: string): void {}
