/** Writes a thousand sessions into a ledger and kills itself. */
import { LedgerFile } from 'vkmemd/dist/store/ledger-file.js';

const ledger = LedgerFile.open(process.argv[2] ?? '');
for (let id = 1n; id <= 1000n; id += 1n) {
  ledger.sessions.put(id, {
    id,
    tenant: 'uid:1',
    identity: { uid: 1, gid: 2, pid: 3, groups: [] },
    tokenHash: String(id),
    clientName: '',
    watched: false,
    departed: false,
  });
}
process.kill(process.pid, 'SIGKILL');
