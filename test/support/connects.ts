/** Whether this user may connect: prints `{"connects": boolean}`. Argument: the runtime folder. */
import { connect } from '@vkmemd/client';

const [runtimeDir = ''] = process.argv.slice(2);
const connects = await connect({ runtimeDir }).then(
  async (client) => {
    await client.close();
    return true;
  },
  () => false,
);
process.stdout.write(JSON.stringify({ connects }));
