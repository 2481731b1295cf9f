// karibu doctor: looks at everything that can be wrong with an installation.
import { statSync } from 'node:fs';
import type { Config } from '../config.ts';
import { AppError } from '../errors.ts';
import { type Clock, systemClock } from '../lib/clock.ts';
import { isPostgresUrl } from '../lib/database-url.ts';
import type { Command } from './command.ts';
import type { Check } from './doctor/check.ts';
import { checkDoors } from './doctor/doors.ts';
import { checkDiskClock, checkFolder, checkKeyFile, checkSpace } from './doctor/folder.ts';
import { checkStore } from './doctor/store.ts';

/** Every check, in the order a person would go through them. Changes nothing. */
export async function examine(config: Config, clock: Clock = systemClock): Promise<Check[]> {
  const folder = checkFolder(config.data_dir);
  if (folder.message.endsWith('is no folder.')) return [folder, ...(await checkDoors(config))];
  const { check: key, vault } = checkKeyFile(config.data_dir);
  const size = statSync(config.database, { throwIfNoEntry: false })?.size ?? 0;
  return [
    folder,
    key,
    checkSpace(config.data_dir, size),
    ...(isPostgresUrl(config.database) ? [] : [checkDiskClock(config.database, clock.now())]),
    ...(await checkStore(config, vault, clock)),
    ...(await checkDoors(config)),
  ];
}

function line({ check, state, message, hint }: Check): string {
  const first = `${state.padEnd(5)} ${check.padEnd(18)} ${message}`;
  return hint ? `${first}\n${' '.repeat(25)}${hint}` : first;
}

export const doctor: Command = {
  summary: 'Look for what is wrong with this installation',
  usage: 'karibu doctor [--data DIR] [--json]\n\nExits with 1 when something fails. Changes nothing.',
  async run({ config, print }) {
    const checks = await examine(config);
    const failed = checks.filter((check) => check.state === 'fail').length;
    print(checks.map(line).join('\n'), { ok: failed === 0, checks });
    if (failed > 0) {
      throw new AppError('unavailable', failed === 1 ? 'One check failed.' : `${failed} checks failed.`);
    }
  },
};
