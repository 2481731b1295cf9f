// What lies beside the business: audit entries, messages, finished tasks.
import { DAY_MS } from '../../../src/lib/days.ts';
import type { Bulk } from './bulk.ts';
import type { Random } from './random.ts';

const ENTITIES = ['plan', 'voucher batch', 'voucher', 'session', 'router', 'account', 'settings'] as const;

export function fillJournal(
  bulk: Bulk,
  random: Random,
  input: { audit: number; messages: number; tasks: number; account_id: string; from: number; now: number },
): void {
  const { from, now } = input;
  const spread = (n: number, count: number, since = from) => Math.floor(since + (n / count) * (now - since));
  for (let n = 0; n < input.audit; n++) {
    const at = spread(n, input.audit);
    bulk.insert('audit', {
      id: random.id(at),
      at,
      account_id: random.chance(0.7) ? input.account_id : null,
      actor: 'bench@karibu.test',
      address: '127.0.0.1',
      action: random.pick(['create', 'update', 'cancel', 'print']),
      entity: random.pick(ENTITIES),
      entity_id: random.id(at),
      entity_name: null,
      before: null,
      after: '{"state":"active"}',
    });
  }
  for (let n = 0; n < input.messages; n++) {
    const at = spread(n, input.messages);
    bulk.insert('messages', {
      id: random.id(at),
      channel: 'sms',
      recipient: `2547${random.text(8, '0123456789')}`,
      subscriber_id: null,
      body: 'Your plan ends in one hour. Dial *334# or open the WiFi page to buy again.',
      state: random.chance(0.95) ? 'delivered' : 'failed',
      provider_id: random.text(12, '0123456789'),
      problem: null,
      created_at: at,
      updated_at: at,
    });
  }
  // Finished tasks are kept for a month.
  for (let n = 0; n < input.tasks; n++) {
    const at = spread(n, input.tasks, now - 30 * DAY_MS);
    bulk.insert('tasks', {
      id: random.id(at),
      kind: 'enforce',
      payload: JSON.stringify({ credential_id: random.id(at), reason: 'expired' }),
      state: 'done',
      attempts: 1,
      run_at: at,
      leased_until: null,
      outcome: 'Nothing was open.',
      created_at: at,
      finished_at: at,
    });
  }
}
