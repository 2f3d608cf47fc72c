/**
 * Inquiries: what vkmemd is asked about its policy without serving anybody. Neither the device nor the runtime folder is
 * touched.
 */
import { unitSettingsText } from './limits/unit-settings.js';
import type { Options } from './options.js';
import { checkPolicy } from './policy/check.js';
import { loadPolicy } from './policy/load.js';

/**
 * Answers on standard output.
 * @returns the status to exit with; undefined where nothing was asked.
 * @throws PolicyError for the settings of a unit, where the policy has a fault.
 */
export async function answerInquiry({
  policy,
  checkConfig,
  unitSettings,
}: Options): Promise<number | undefined> {
  if (checkConfig) {
    const { well, object, lines } = await checkPolicy(policy);
    await say(checkConfig === 'json' ? JSON.stringify(object) : lines.join('\n'));
    return well ? 0 : 1;
  }
  if (!unitSettings) return undefined;
  await say(unitSettingsText((await loadPolicy(policy)).policy.limits));
  return 0;
}

async function say(text: string): Promise<void> {
  // Whoever reads may have seen enough: the exit status says the rest.
  process.stdout.on('error', (failure: NodeJS.ErrnoException) => {
    if (failure.code !== 'EPIPE') throw failure;
  });
  await new Promise((resolve) => process.stdout.write(`${text}\n`, resolve));
}
