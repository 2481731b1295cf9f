// Changes one part of the settings together with its audit entry.
import type { Db } from '../../../db/schema.ts';
import { type Actor, audit } from '../../../operators/audit.ts';

interface SettingsChange<T> {
  /** How the audit calls this part. */
  name: string;
  /** As it may be shown: what the audit keeps of before and after. */
  read(tx: Db): Promise<T>;
  write(tx: Db): Promise<unknown>;
  /** Secrets that were given anew, by name. */
  replaced?: string[];
}

/** What is stored afterwards; the change and its audit entry appear together or not at all. */
export function changeSettings<T extends object>(
  db: Db,
  actor: Actor,
  now: number,
  { name, read, write, replaced }: SettingsChange<T>,
): Promise<T> {
  return db.transaction().execute(async (tx) => {
    const before = await read(tx);
    await write(tx);
    const after = await read(tx);
    const entry = { action: 'update', entity: 'settings', entity_name: name, before };
    await audit(tx, actor, { ...entry, after: replaced ? { ...after, replaced } : after }, now);
    return after;
  });
}
