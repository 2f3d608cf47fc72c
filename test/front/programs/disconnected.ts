/**
 * Connects to the control and the admin socket, and prints, as JSON, how each connection ends: 'closed'
 * without a byte, or the bytes that came. Argument: the runtime folder.
 */
import { connect } from 'node:net';
import { join } from 'node:path';
import { ADMIN_SOCKET, CONTROL_SOCKET } from '@vkmemd/proto';

const endOf = (name: string): Promise<string> =>
  new Promise((resolve) => {
    let bytes = '';
    connect(join(process.argv[2] ?? '', name))
      .setEncoding('latin1')
      .on('data', (text: string) => {
        bytes += text;
      })
      .once('error', ({ message }) => resolve(message))
      .once('close', () => resolve(bytes || 'closed'));
  });

process.stdout.write(JSON.stringify(await Promise.all([endOf(CONTROL_SOCKET), endOf(ADMIN_SOCKET)])));
