// Messages to subscribers, with their delivery state.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { newId } from '../lib/ids.ts';

export type Message = Row<'messages'>;

export async function listMessages(
  db: Db,
  page: PageRequest,
  state?: Message['state'],
): Promise<Page<Message>> {
  let query = db.selectFrom('messages').selectAll();
  if (state) query = query.where('state', '=', state);
  return readPage(query, 'messages.id', page);
}

/** Writes an SMS that waits to be sent; call it in the transaction of what it tells of. */
export async function queueMessage(
  db: Db,
  message: { recipient: string; subscriber_id: string | null; body: string },
  now: number,
): Promise<void> {
  await db
    .insertInto('messages')
    .values({
      id: newId(now),
      channel: 'sms',
      ...message,
      state: 'queued',
      provider_id: null,
      problem: null,
      created_at: now,
      updated_at: now,
    })
    .execute();
}
