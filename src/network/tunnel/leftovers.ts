// Ends tunnel programs that an earlier run of this box left behind.
import { readdirSync, readFileSync } from 'node:fs';

/** In the environment of every program we start: whose it is. Set with its birth, so that no cut can come before it. */
export const OWNER_MARK = 'KARIBU_TUNNEL_OF';

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch (error) {
    // Gone meanwhile, or another user's: not ours.
    if (['ENOENT', 'ESRCH', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? ''))
      return [];
    throw error;
  }
}

/** Processes that carry this owner's mark; none where the machine has no /proc. */
export function findLeftovers(owner: string): number[] {
  let names: string[];
  try {
    names = readdirSync('/proc');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  const mark = `${OWNER_MARK}=${owner}`;
  return names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && environmentOf(pid).includes(mark));
}

/** Ends them at once; they have nothing to tidy up. How many there were. */
export function endLeftovers(owner: string): number {
  const pids = findLeftovers(owner);
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  return pids.length;
}
