// Takes what M-PESA sends us: keeps it as evidence before anything is made of it.
import type { Db } from '../db/schema.ts';
import type { Vault } from '../lib/secrets.ts';
import { parseC2bNotice } from '../protocols/mpesa/index.ts';
import { type Evidence, keepEvidence } from './evidence.ts';
import { failRequest, findRequestByToken, keepAnswer } from './mpesa-requests.ts';
import { isNoticeToken } from './notice-addresses.ts';
import { findOrderByToken } from './orders.ts';
import { doubtAbout } from './trust.ts';

/**
 * A notice as it came: `stk` about an order, `c2b` a payment by hand, `result` the answer to a question, `timeout` the
 * word that there will be none.
 */
export interface RawNotice {
  about: 'stk' | 'c2b' | 'result' | 'timeout';
  /** The unguessable part of its address. */
  token: string;
  body: string;
  source_address: string | null;
  /** Daraja's header of that name. */
  shortcode: string | null;
  at: number;
}

/** What became of it; `stranger` says why it belongs to nobody. */
export interface TakenNotice {
  evidence: Evidence | undefined;
  doubt?: string | undefined;
  stranger?: string;
}

const IN_QUEUE = 'M-PESA’s queue was too long.';

/**
 * Keeps a notice; `keepStrangers` false drops what belongs to nobody, of which anyone can send any amount. On disk when
 * this returns.
 */
export async function takeNotice(
  db: Db,
  vault: Vault,
  notice: RawNotice,
  keepStrangers: boolean,
): Promise<TakenNotice> {
  // What it is about is read where it is written: in one transaction, which has those rows at hand.
  return db.transaction().execute((tx) => takeIn(tx, vault, notice, keepStrangers));
}

async function takeIn(db: Db, vault: Vault, notice: RawNotice, keepStrangers: boolean): Promise<TakenNotice> {
  const { body, source_address } = notice;
  const kind =
    notice.about === 'stk' ? 'stk_callback' : notice.about === 'c2b' ? 'c2b' : 'transaction_status';
  const stranger = async (why: string): Promise<TakenNotice> => {
    const about = { kind, order_id: null, body, source_address, quarantine: why } as const;
    const evidence = keepStrangers ? await keepEvidence(db, about, notice.at) : undefined;
    return { evidence, stranger: why };
  };
  if (notice.about === 'c2b') return takeHandNotice(db, vault, notice, stranger);
  if (notice.about !== 'stk') {
    const request = await findRequestByToken(db, notice.token);
    if (!request) return stranger('Its address belongs to no question.');
    // Nothing was decided: the question may be asked again when its time is over.
    if (notice.about === 'timeout') {
      if (request.kind === 'account_balance')
        await failRequest(db, request.id, IN_QUEUE, notice.at, 'timeout');
      return { evidence: undefined };
    }
    return { evidence: await keepAnswer(db, request, { body, source_address }, notice.at) };
  }
  const order = await findOrderByToken(db, notice.token);
  if (!order) return stranger('Its address belongs to no order.');
  const shortcode = notice.shortcode ?? undefined;
  const doubt = await doubtAbout(db, { source_address, shortcode });
  const about = { kind: 'stk_callback' as const, body, source_address, order_id: order.id, doubt };
  return { evidence: await keepEvidence(db, about, notice.at), doubt };
}

async function takeHandNotice(
  db: Db,
  vault: Vault,
  notice: RawNotice,
  stranger: (why: string) => Promise<TakenNotice>,
): Promise<TakenNotice> {
  const { body, source_address } = notice;
  if (!isNoticeToken(vault, notice.token)) return stranger('Its address is not one that M-PESA was given.');
  const read = parseC2bNotice(body);
  if (!read.ok) return stranger(`It could not be read: ${read.problem}.`);
  const { receipt, shortcode } = read;
  const doubt = await doubtAbout(db, { source_address, shortcode });
  const about = { kind: 'c2b' as const, order_id: null, body, source_address, doubt, receipt };
  return { evidence: await keepEvidence(db, about, notice.at), doubt };
}
