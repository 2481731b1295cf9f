// The token of M-PESA that all nodes of an operator use, sealed in the store.
import type { Db } from '../db/schema.ts';
import { writeSetting } from '../db/settings.ts';
import { hashToken, type Vault } from '../lib/secrets.ts';
import type { SharedToken } from '../protocols/mpesa/index.ts';

const KEY = 'mpesa_token';
/** A node that asks for a token and dies keeps the others waiting for so long. */
const LEASE_MS = 10_000;
/** A token lives an hour: more is the fault of a clock. */
const MOST_GOOD_MS = 3600_000;

interface Stored {
  /** Of which app: a fingerprint of its address and keys. */
  app: string;
  token_sealed: string | null;
  good_until: number;
  leased_until: number;
}

/** The place where nodes that ask as this app keep their token; `app` is all that tells it from another. */
export function shareToken(db: Db, vault: Vault, app: string, now: () => number): SharedToken {
  const mine = hashToken(app);
  const readRow = () => db.selectFrom('settings').select('value').where('key', '=', KEY).executeTakeFirst();
  const ofThisApp = (value: string): Stored | undefined => {
    const stored = JSON.parse(value) as Stored;
    return stored.app === mine ? stored : undefined;
  };
  const none: Stored = { app: mine, token_sealed: null, good_until: 0, leased_until: 0 };
  return {
    async read() {
      const row = await readRow();
      const stored = row && ofThisApp(row.value);
      if (!stored?.token_sealed) return undefined;
      const good_ms = stored.good_until - now();
      return good_ms > MOST_GOOD_MS ? undefined : { token: vault.open(stored.token_sealed), good_ms };
    },
    async begin() {
      const at = now();
      const row = await readRow();
      const stored = (row && ofThisApp(row.value)) ?? none;
      if (stored.leased_until > at && stored.leased_until <= at + LEASE_MS) return false;
      const value = JSON.stringify({ ...stored, leased_until: at + LEASE_MS });
      const taken = row
        ? await db
            .updateTable('settings')
            .set({ value, updated_at: at })
            .where('key', '=', KEY)
            .where('value', '=', row.value)
            .returning('key')
            .executeTakeFirst()
        : await db
            .insertInto('settings')
            .values({ key: KEY, value, updated_at: at })
            .onConflict((oc) => oc.column('key').doNothing())
            .returning('key')
            .executeTakeFirst();
      return taken !== undefined;
    },
    async end(made) {
      const at = now();
      const kept = made && { token_sealed: vault.seal(made.token), good_until: at + made.good_ms };
      await writeSetting(db, KEY, { ...none, ...kept }, at);
    },
  };
}
