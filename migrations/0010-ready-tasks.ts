// Tasks that wait are found by their kind: a pile of one kind no longer stands before the others.
import { type Kysely, sql } from 'kysely';

export async function up(db: Kysely<unknown>): Promise<void> {
  const { schema } = db;
  await schema.dropIndex('tasks_due').execute();
  await schema
    .createIndex('tasks_ready')
    .on('tasks')
    .columns(['kind', 'run_at'])
    .where(sql.ref('state'), '=', sql.lit('ready'))
    .execute();
}
