// karibu migrate: brings the database to this version.
import type { Command } from './command.ts';
import { withStore } from './store.ts';

export const migrate: Command = {
  summary: 'Bring the database to this version',
  usage: 'karibu migrate [--data DIR]',
  async run({ config, print }) {
    await withStore(config, async (_db, migrated) => {
      const done = migrated.applied.length;
      const text = done === 0 ? 'The database is up to date.' : `Applied ${migrated.applied.join(', ')}.`;
      print(migrated.snapshot ? `${text} The state before is in ${migrated.snapshot}.` : text, migrated);
    });
  },
};
