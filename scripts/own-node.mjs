/** Prints the path of vkmemd's own Node.js, for the shell: "$(node scripts/own-node.mjs)" FILE. */
import { runtimeNode } from './inputs.mjs';

console.log(runtimeNode);
