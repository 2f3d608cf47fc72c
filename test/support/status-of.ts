/** Prints the daemon's warnings, as this user gets them. Argument: the runtime folder. */
import { connectControl } from '@vkmemd/client';

const [runtimeDir = ''] = process.argv.slice(2);
await using control = connectControl({ runtimeDir });
const { warnings } = await control.status();
process.stdout.write(JSON.stringify(warnings.map(({ code, message, next }) => ({ code, message, next }))));
