// karibu serve: runs the appliance until it is told to stop.
import { createApp } from '../app.ts';
import type { Command } from './command.ts';

/** Resolves at the first SIGINT or SIGTERM. */
export function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}

export const serve: Command = {
  summary: 'Run the appliance',
  usage: 'karibu serve [--data DIR]',
  async run({ config }) {
    const stop = stopSignal();
    const app = await createApp(config);
    await app.start();
    await stop;
    await app.stop();
  },
};
