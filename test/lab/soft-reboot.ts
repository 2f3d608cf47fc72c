/** What the two tests beside a soft-reboot share. */
export const SIZE = 1 << 20;
export const NAME = 'over-a-soft-reboot';
export const STAMP = '/run/lab-before-soft-reboot';

/** The drop-in of docs/operations.md. */
export const SETTINGS = '[Service]\nFileDescriptorStorePreserve=yes\nRuntimeDirectoryPreserve=yes\n';
