/** Reads the policy in a folder as the current user and prints its errors as JSON, sorted. */
import { faultsOf } from '../policy/support.js';

const [root = '/'] = process.argv.slice(2);
process.stdout.write(JSON.stringify((await faultsOf(root)).sort()));
