// What M-PESA is asked to look up or to send back, and its answer, which comes later as a notice.
import { unindexed } from '../db/page.ts';
import type { Db, Row } from '../db/schema.ts';
import { AppError } from '../errors.ts';
import { idAt, newId } from '../lib/ids.ts';
import { hashToken, newToken } from '../lib/secrets.ts';
import {
  describeInitiatorResult,
  type InitiatorResult,
  parseInitiatorResult,
  readAccountBalance,
  readReversal,
  readTransactionStatus,
} from '../protocols/mpesa/index.ts';
import { writeBalance } from './balance.ts';
import { refuseClaim } from './claims.ts';
import { closeEvidence, type Evidence, keepEvidence } from './evidence.ts';
import type { AnswerAddresses, AskedOutcome, PaymentGateway } from './gateways.ts';
import { bookPayment } from './ledger.ts';
import { answerAddresses } from './notice-addresses.ts';
import type { Payment } from './payments.ts';
import { withdrawGrant } from './withdraw-grant.ts';

export type MpesaRequest = Row<'mpesa_requests'>;

/** An answer that has not come by then may never come (payments.md §1.10 gives no time). */
const SILENT_MS = 10 * 60_000;
/** A status is asked about again after this, then after twice as long each time, up to some three hours. */
const MOST_DOUBLED = 4;

const BALANCE = 'balance';
/** A second tap joins the question for the balance; later it is asked anew, since it moves no money. */
const JOIN_MS = 15_000;

/** Undefined while the same is being asked. */
async function writeRequest(
  db: Db,
  input: Pick<MpesaRequest, 'kind' | 'receipt' | 'payment_id' | 'amount_cents' | 'asked_by'> & {
    live_key: string;
  },
  now: number,
): Promise<{ request: MpesaRequest; token: string } | undefined> {
  const token = newToken();
  const request = await db
    .insertInto('mpesa_requests')
    .values({
      id: newId(now),
      ...input,
      token_hash: hashToken(token),
      conversation_id: null,
      state: 'asked',
      result_code: null,
      problem: null,
      created_at: now,
      answered_at: null,
    })
    .onConflict((oc) => oc.column('live_key').doNothing())
    .returningAll()
    .executeTakeFirst();
  return request && { request, token };
}

export async function failRequest(
  db: Db,
  id: string,
  problem: string,
  now: number,
  code: string | null = null,
): Promise<void> {
  await db
    .updateTable('mpesa_requests')
    .set({ state: 'failed', live_key: null, problem, result_code: code, answered_at: now })
    .where('id', '=', id)
    .where('state', '=', 'asked')
    .execute();
}

/** Whether a receipt may be asked about: not while an answer may still come, and less often each time. */
async function mayAskStatus(db: Db, receipt: string, now: number): Promise<boolean> {
  const before = await db
    .selectFrom('mpesa_requests')
    .select(['id', 'created_at'])
    .where('receipt', '=', receipt)
    .where('kind', '=', 'transaction_status')
    .orderBy('id')
    .execute();
  const last = before.at(-1);
  if (!last) return true;
  const pause = SILENT_MS * 2 ** Math.min(before.length - 1, MOST_DOUBLED);
  if (now < last.created_at + pause) return false;
  await failRequest(db, last.id, NO_ANSWER, now);
  return true;
}

const NO_ANSWER = 'No answer came.';

/**
 * Asks M-PESA what became of a receipt; nothing when that was asked a while ago. `paymentId` is the payment that was to be
 * sent back, where that is the question. True when it was asked.
 */
export async function askStatus(
  db: Db,
  gateway: PaymentGateway,
  receipt: string,
  base: string,
  now: number,
  paymentId: string | null = null,
): Promise<boolean> {
  if (!(await mayAskStatus(db, receipt, now))) return false;
  const about = { receipt, payment_id: paymentId, amount_cents: null, asked_by: null };
  const written = await writeRequest(
    db,
    { kind: 'transaction_status', live_key: `status:${receipt}`, ...about },
    now,
  );
  if (!written) return false;
  const answer = await gateway.askStatus({ receipt, ...answerAddresses(base, written.token) });
  if (answer.outcome === 'refused') await failRequest(db, written.request.id, answer.problem, now);
  return answer.outcome !== 'refused';
}

/**
 * Has M-PESA send a payment back. It is written down first, and stays `asked` until M-PESA says what came of it; what was
 * granted for it ends then. One of which nobody knows what came of it may be asked for again: M-PESA sends a receipt back
 * once, and says so (R000001). @throws `conflict` when the payment cannot be sent back or is being sent already,
 * `unavailable` with M-PESA's words when it refused at once.
 */
export async function askReversal(
  db: Db,
  gateway: PaymentGateway,
  paymentId: string,
  request: { remarks: string; asked_by: string; base: string },
  now: number,
): Promise<void> {
  const written = await db.transaction().execute(async (tx) => {
    const payment = await tx
      .updateTable('payments')
      .set({ reversal: 'asked', resolved_by: request.asked_by, resolved_at: now })
      .where('id', '=', paymentId)
      .where('gateway', '=', 'mpesa')
      .where('receipt', 'is not', null)
      .where('state', 'in', ['unmatched', 'settled'])
      .where((eb) => eb.or([eb('reversal', 'is', null), eb('reversal', 'in', ['refused', 'unknown'])]))
      .returningAll()
      .executeTakeFirst();
    if (!payment?.receipt) {
      throw new AppError('conflict', 'This payment cannot be sent back now.', {
        hint: 'It has no M-PESA code yet, or is being sent back already.',
      });
    }
    const { receipt, amount_cents } = payment;
    const about = { receipt, payment_id: payment.id, amount_cents, asked_by: request.asked_by };
    const made = await writeRequest(
      tx,
      { kind: 'reversal', live_key: `reversal:${payment.id}`, ...about },
      now,
    );
    if (!made) throw new AppError('conflict', 'This payment is being sent back already.');
    return { ...made, receipt, amount_cents };
  });
  const { receipt, amount_cents, token } = written;
  const answer = await gateway.reverse({
    ...{ receipt, amount_cents, remarks: request.remarks },
    ...answerAddresses(request.base, token),
  });
  if (answer.outcome !== 'refused') return;
  await db.transaction().execute(async (tx) => {
    await failRequest(tx, written.request.id, answer.problem, now);
    // A statement may have told meanwhile that it went back.
    await tx
      .updateTable('payments')
      .set({ reversal: 'refused' })
      .where('id', '=', paymentId)
      .where('reversal', '=', 'asked')
      .execute();
  });
  throw new AppError('unavailable', `M-PESA refused: ${answer.problem}`, {
    hint: 'Check the initiator in Settings, or send it back on the M-PESA portal.',
  });
}

/**
 * Asks; the answer comes as a notice. Gives the request, which is `failed` at once when M-PESA refused: its code is then
 * `refused:` and the reason.
 */
export async function askBalance(
  db: Db,
  gateway: { askBalance(request: AnswerAddresses): Promise<AskedOutcome> },
  askedBy: string,
  base: string,
  now: number,
): Promise<MpesaRequest> {
  await db
    .updateTable('mpesa_requests')
    .set({ state: 'failed', live_key: null, problem: 'It was asked again.', answered_at: now })
    .where('live_key', '=', BALANCE)
    .where('created_at', '<', now - JOIN_MS)
    .execute();
  const about = { receipt: null, payment_id: null, amount_cents: null, asked_by: askedBy };
  const written = await writeRequest(db, { kind: 'account_balance', live_key: BALANCE, ...about }, now);
  if (!written) {
    return db
      .selectFrom('mpesa_requests')
      .selectAll()
      .where('live_key', '=', BALANCE)
      .executeTakeFirstOrThrow();
  }
  const { id } = written.request;
  const answer = await gateway.askBalance(answerAddresses(base, written.token));
  if (answer.outcome === 'refused') {
    await failRequest(db, id, answer.problem, now, `refused:${answer.reason ?? ''}`);
  }
  return (await findRequest(db, id)) ?? written.request;
}

export async function findRequest(db: Db, id: string): Promise<MpesaRequest | undefined> {
  return db.selectFrom('mpesa_requests').selectAll().where('id', '=', id).executeTakeFirst();
}

/**
 * Reversals that M-PESA never said anything about: from now on nobody knows what came of them. The payments, each once.
 */
export async function giveUpReversals(db: Db, now: number): Promise<{ id: string; receipt: string }[]> {
  const silent = await db
    .selectFrom('mpesa_requests')
    .select(['id', 'payment_id', 'receipt'])
    .where('state', '=', 'asked')
    .where(unindexed('kind'), '=', 'reversal')
    .where('id', '<', idAt(now - SILENT_MS))
    .execute();
  const given: { id: string; receipt: string }[] = [];
  for (const { id, payment_id, receipt } of silent) {
    const payment = await db.transaction().execute(async (tx) => {
      await failRequest(tx, id, NO_ANSWER, now);
      return tx
        .updateTable('payments')
        .set({ reversal: 'unknown' })
        .where('id', '=', payment_id)
        .where('reversal', '=', 'asked')
        .returning('id')
        .executeTakeFirst();
    });
    if (payment && receipt) given.push({ id: payment.id, receipt });
  }
  return given;
}

/**
 * A person has looked at the portal: a payment of which nobody knew whether it went back did, or did not. Call it in a
 * transaction. @throws `conflict` when that is known meanwhile.
 */
export async function decideReversal(
  tx: Db,
  paymentId: string,
  wentBack: boolean,
  by: string,
  now: number,
): Promise<void> {
  if (await writeReversal(tx, paymentId, wentBack, now, ['unknown'], { resolved_by: by, resolved_at: now }))
    return;
  throw new AppError('conflict', 'What came of this reversal is known, or still awaited.', {
    hint: 'Load the page again.',
  });
}

/** How many statuses were asked about since then. */
export async function countStatuses(db: Db, since: number): Promise<number> {
  const { asked } = await db
    .selectFrom('mpesa_requests')
    .select((eb) => eb.fn.countAll<number>().as('asked'))
    .where('id', '>=', idAt(since))
    .where('kind', '=', 'transaction_status')
    .executeTakeFirstOrThrow();
  return Number(asked);
}

/** Whether M-PESA refused our initiator since its password was set: asking again could lock it, and tells nothing. */
export async function isInitiatorRefused(db: Db, since: number): Promise<boolean> {
  const failed = await db
    .selectFrom('mpesa_requests')
    .select('result_code')
    .distinct()
    .where('state', '=', 'failed')
    .where('id', '>=', idAt(since))
    .where('kind', '=', 'transaction_status')
    .where('result_code', 'is not', null)
    .execute();
  return failed.some(({ result_code }) => describeInitiatorResult(result_code ?? '').initiator_fault);
}

export async function findRequestByToken(db: Db, token: string): Promise<MpesaRequest | undefined> {
  return db
    .selectFrom('mpesa_requests')
    .selectAll()
    .where('token_hash', '=', hashToken(token))
    .executeTakeFirst();
}

/**
 * Keeps the answer to a question: the status of a receipt is evidence to be settled like any other; what came of a
 * reversal is written down at once. Call it in a transaction: an answer comes once.
 */
export async function keepAnswer(
  tx: Db,
  request: MpesaRequest,
  notice: { body: string; source_address: string | null },
  now: number,
): Promise<Evidence | undefined> {
  if (request.kind === 'account_balance') {
    const read = parseInitiatorResult(notice.body);
    if (read.ok) await keepBalance(tx, request, read, now);
    return undefined;
  }
  const receipt = request.receipt ?? undefined;
  const evidence = await keepEvidence(
    tx,
    {
      ...{ kind: request.kind, order_id: null, ...notice, occasion: request.id },
      ...(receipt ? { receipt } : {}),
      ...(request.kind === 'reversal' ? { quarantine: 'About a payment sent back.' } : {}),
    },
    now,
  );
  const result = parseInitiatorResult(notice.body);
  if (!evidence || !result.ok) return evidence;
  const told = request.kind === 'transaction_status' && request.payment_id && readTransactionStatus(result);
  // No document names this status (UNCONFIRMED); any other says nothing about a reversal.
  if (told && /^revers/i.test(told.status_raw))
    await writeReversal(tx, request.payment_id as string, true, now, WHATEVER);
  if (request.kind === 'reversal') {
    await closeReversal(tx, request, evidence, readReversal(result), now);
    return evidence;
  }
  await answerRequest(tx, request.id, result.done, result.result_code, result.result_desc, now);
  // A fault of our own initiator says nothing about the guest.
  if (receipt && describeInitiatorResult(result.result_code).no_payment) {
    await refuseClaim(tx, receipt, `M-PESA said: ${result.result_desc}`, now);
  }
  return evidence;
}

/** The balance is kept of the question that waits for it alone. */
async function keepBalance(
  tx: Db,
  request: MpesaRequest,
  result: InitiatorResult,
  now: number,
): Promise<void> {
  const { done, result_code, result_desc } = result;
  if (!(await answerRequest(tx, request.id, done, result_code, result_desc, now))) return;
  const accounts = readAccountBalance(result);
  if (accounts) await writeBalance(tx, { request_id: request.id, at: now, accounts });
}

/** Writes an answer down; false when there is one already. */
async function answerRequest(
  db: Db,
  id: string,
  done: boolean,
  code: string,
  words: string,
  now: number,
): Promise<boolean> {
  const answered = await db
    .updateTable('mpesa_requests')
    .set({
      ...{ state: done ? 'done' : 'failed', live_key: null, result_code: code },
      ...{ problem: done ? null : words.slice(0, 300), answered_at: now },
    })
    .where('id', '=', id)
    .where('state', '=', 'asked')
    .returning('id')
    .executeTakeFirst();
  return answered !== undefined;
}

async function closeReversal(
  tx: Db,
  request: MpesaRequest,
  evidence: Evidence,
  outcome: ReturnType<typeof readReversal>,
  now: number,
): Promise<void> {
  const back = outcome.outcome === 'reversed' || outcome.outcome === 'already_reversed';
  const code = outcome.result_code;
  if (outcome.outcome === 'unknown' || !request.payment_id) {
    await closeEvidence(tx, evidence.id, 'quarantined', `Nobody knows what came of it (${code}).`, now);
    return;
  }
  const awaited = await answerRequest(tx, request.id, back, code, `Refused (${code}).`, now);
  const summary = back ? 'The money went back.' : `M-PESA did not send it back (${code}).`;
  await closeEvidence(tx, evidence.id, 'used', summary, now, request.payment_id);
  // A no that comes late says nothing about what was asked since; a yes is true whatever was thought.
  const known = back ? WHATEVER : awaited ? (['asked', 'unknown'] as const) : (['unknown'] as const);
  await writeReversal(tx, request.payment_id, back, now, known);
}

/**
 * M-PESA says that it went back: then it did, whatever was thought of it. The payment may have taken in the one that was
 * asked about, and know of no reversal.
 */
const WHATEVER = undefined;

/**
 * Writes what came of a reversal, once; false when that was known before: `known` is what may have been thought of it
 * until now. What the payment gave ends with it.
 */
async function writeReversal(
  tx: Db,
  paymentId: string,
  back: boolean,
  now: number,
  known: readonly ('asked' | 'unknown' | 'refused')[] | undefined,
  by: Partial<Pick<Payment, 'resolved_by' | 'resolved_at'>> = {},
): Promise<boolean> {
  const payment = await tx
    .updateTable('payments')
    .set(back ? { ...by, state: 'reversed', reversal: null } : { ...by, reversal: 'refused' })
    .where('id', '=', paymentId)
    .where('state', '<>', 'reversed')
    .$if(known !== undefined, (query) => query.where('reversal', 'in', known ?? []))
    .returningAll()
    .executeTakeFirst();
  if (!payment) return false;
  if (back) await withdrawGrant(tx, payment as Payment, now);
  await bookPayment(tx, payment.id, now);
  return true;
}
