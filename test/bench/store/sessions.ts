// A year of sessions, the last of them open.
import type { Row } from '../../../src/db/schema.ts';
import type { Bulk } from './bulk.ts';
import type { Catalogue } from './catalogue.ts';
import type { Random } from './random.ts';
import type { Sale } from './sales.ts';

const KEY_ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
/** A session belongs to one of this many entitlements that were granted last when it began. */
const RECENT = 400;

/** Sessions in the order of time; `open` of them live now, each on an entitlement that runs. */
export function fillSessions(
  bulk: Bulk,
  random: Random,
  catalogue: Catalogue,
  sales: Sale[],
  sizes: { sessions: number; open: number; from: number; now: number },
): void {
  const { from, now } = sizes;
  const running = sales.filter((sale) => sale.state === 'active');
  const open = Math.min(sizes.open, running.length, sizes.sessions);
  const closed = sizes.sessions - open;
  for (let n = 0; n < closed; n++) {
    const at = Math.floor(from + (n / closed) * (now - from));
    const place = Math.floor((n / closed) * sales.length);
    const sale = sales[Math.max(0, place - random.between(0, RECENT))] as Sale;
    const length = Math.min(random.between(60, 3 * 3600), Math.floor((now - at) / 1000));
    bulk.insert('sessions', session(random, catalogue, sale, at, length, at + length * 1000));
  }
  // Evenly from all that run, so that the old ones are there too.
  for (let n = 0; n < open; n++) {
    const sale = running[Math.floor((n / open) * running.length)] as Sale;
    const length = random.between(30, 3600);
    bulk.insert('sessions', session(random, catalogue, sale, now - length * 1000, length, null));
  }
}

function session(
  random: Random,
  catalogue: Catalogue,
  sale: Sale,
  at: number,
  seconds: number,
  stoppedAt: number | null,
): Row<'sessions'> {
  const megabits = random.next() ** 2 * 3;
  const download = Math.floor((seconds * megabits * 1_000_000) / 8);
  return {
    id: random.id(at),
    unique_key: random.text(27, KEY_ALPHABET),
    router_id: random.pick(catalogue.routers).id,
    subscriber_id: sale.subscriber_id,
    credential_id: sale.credential_id,
    entitlement_id: sale.id,
    plan_id: sale.plan_id,
    username: sale.username,
    acct_session_id: random.text(8, '0123456789abcdef'),
    nas_port_id: 'bridge1',
    nas_ip: '10.99.0.2',
    nas_source: null,
    mac: sale.mac,
    ip: `10.5.${random.between(48, 51)}.${random.between(2, 254)}`,
    state: stoppedAt === null ? 'open' : 'closed',
    started_at: at,
    updated_at: at + seconds * 1000,
    stopped_at: stoppedAt,
    session_seconds: seconds,
    upload_octets: Math.floor(download / 9),
    download_octets: download,
    terminate_cause: stoppedAt === null ? null : random.pick([1, 1, 4, 5, 2]),
    disconnect_state: null,
    disconnect_detail: null,
    disconnect_at: null,
    gave_way_at: null,
    change_state: null,
    change_detail: null,
    change_at: null,
  };
}
