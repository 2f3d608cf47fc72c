/** In the runtime folder: the ledger of what is kept. It goes when whoever keeps the fds lets go of them for good. */
export const STATE_FOLDER = 'state';
