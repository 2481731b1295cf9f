// A device that knocks: the newest credentials bought on it are found without reading all that ever were.
import type { Kysely } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema
    .createIndex('credentials_device_newest')
    .on('credentials')
    .columns(['device_mac', 'id'])
    .execute();
  await schema.dropIndex('credentials_device').execute();
}
