// The heavy work that runs beside the main thread: each function by its name, data in and data out.
import { sql } from 'kysely';
import { sealCodes } from '../access/vouchers.ts';
import { readStatement } from '../billing/statement.ts';
import { prepareImport } from '../billing/statement-import.ts';
import type { Db } from '../db/schema.ts';
import type { Vault } from '../lib/secrets.ts';
import { readSales, type SalesRequest } from '../reports/sales.ts';
import { voucherCsv, voucherSheetOf } from './vouchers.ts';

/** What a heavy function works on. In the worker the store is a connection of its own that never writes a row. */
export interface HeavyContext {
  db: Db;
  vault: Vault;
}

/**
 * Everything that takes longer than a RADIUS packet may wait. Input and output are plain data, since they are copied from
 * thread to thread. A function reads; what it found out is written by whoever asked.
 */
export const heavyFunctions = {
  // Passive: it waits for nobody and nobody waits for it.
  checkpoint: async ({ db }: HeavyContext, _: Record<string, never>) => {
    const { rows } = await sql<{ log: number }>`pragma wal_checkpoint(passive)`.execute(db);
    return rows[0]?.log ?? 0;
  },
  seal_codes: async ({ vault }: HeavyContext, { count }: { count: number }) => sealCodes(vault, count),
  voucher_sheet: (ctx: HeavyContext, { batch_id }: { batch_id: string }) => voucherSheetOf(ctx, batch_id),
  sales: ({ db }: HeavyContext, request: SalesRequest) => readSales(db, request),
  read_statement: async ({ db }: HeavyContext, { text, now }: { text: string; now: number }) =>
    prepareImport(await readStatement(db, text, now)),
  voucher_csv: (ctx: HeavyContext, { batch_id }: { batch_id: string }) => voucherCsv(ctx, batch_id),
};

type Functions = typeof heavyFunctions;
export type HeavyName = keyof Functions;
export type HeavyInput<N extends HeavyName> = Parameters<Functions[N]>[1];
export type HeavyOutput<N extends HeavyName> = Awaited<ReturnType<Functions[N]>>;
