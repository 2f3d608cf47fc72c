/**
 * The faults of the policy in a folder, as whoever runs this may read it: printed as JSON, sorted.
 */
import { faultsOf } from '../policy/support.js';

const [root = '/'] = process.argv.slice(2);
process.stdout.write(JSON.stringify((await faultsOf(root)).sort()));
