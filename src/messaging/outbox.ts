// Messages to subscribers, with their delivery state.
import type { Page, PageRequest } from '../db/page.ts';
import { readPage } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';

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
