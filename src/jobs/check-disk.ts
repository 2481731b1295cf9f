// Looks whether the disk has room and can be written.
import type { JobContext } from './context.ts';

export const checkDisk = (ctx: JobContext): Promise<void> => ctx.disk.check();
