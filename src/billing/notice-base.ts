// Where the gateway reaches this box.
import type { Db } from '../db/schema.ts';
import { viewMpesaSettings } from './mpesa-settings.ts';

/** What Daraja is told where nothing leads to this box. */
export const NOWHERE = 'https://karibu.invalid';

/**
 * The beginning of every address that M-PESA is told, without a slash at the end. Without a way in from outside Daraja
 * still wants one; it need not resolve (payments.md §1.9, observed), and the queries do the work.
 */
export async function noticeBaseUrl(db: Db, port: number): Promise<string> {
  const settings = await viewMpesaSettings(db);
  if (settings.callback_base_url) return settings.callback_base_url;
  const isLocal = settings.environment === 'simulator' || settings.environment === 'custom';
  return isLocal ? `http://127.0.0.1:${port}` : NOWHERE;
}
