// “I have paid”: what a guest who pastes an M-PESA code or SMS is answered, on the page and by the API.
import { afterEach, beforeEach, expect, it } from 'vitest';
import { refuseClaim } from '../../../../src/billing/claims.ts';
import { keepEvidence } from '../../../../src/billing/evidence.ts';
import { updatePaymentPolicy } from '../../../../src/billing/policy.ts';
import { settleEvidence } from '../../../../src/billing/settle.ts';
import { hashMsisdn } from '../../../../src/lib/msisdn.ts';
import { HOUR, NOW, somePlan } from '../../../access/fixtures.ts';
import { type Answer, startApp, type TestApp } from '../fixtures.ts';

const MAC = 'AA:BB:CC:00:00:01';
const OTHER = 'AA:BB:CC:00:00:02';
const CODE = 'VAF1234XYZ';
const SMS = `${CODE} Confirmed. Ksh20.00 sent to KARIBU WIFI for account wifi on 15/1/27 at 11:01 AM. New M-PESA balance is Ksh480.00.`;

let app: TestApp;
beforeEach(async () => {
  app = await startApp();
  await somePlan(app.db);
});
afterEach(async () => app.close());

const paste = (text: string, mac: string | null = MAC, more: Record<string, string> = {}) =>
  app.at('portal', '/paid', {
    method: 'POST',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
    body: new URLSearchParams({ text, ...(mac && { mac, ip: '10.5.48.20' }), ...more }).toString(),
  });
const claim = (body: unknown) =>
  app.at('portal', '/api/claims', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
const rows = (table: 'claims' | 'entitlements') => app.db.selectFrom(table).selectAll().execute();
/** The credential that a page shows where there is no router to post it to. */
const shown = (answer: Answer) => /<dd>([^<]+)<\/dd>/.exec(answer.text)?.[1];

/** M-PESA's own books tell of the money. */
async function moneyComes(change: Record<string, unknown> = {}) {
  const row = {
    ...{ receipt: CODE, amount_cents: 2000, account_reference: '', payer_name: 'ACHIENG' },
    ...{ at: NOW, msisdn_sha256: hashMsisdn('254712345678'), ...change },
  };
  const kept = await keepEvidence(
    app.db,
    { kind: 'pull', order_id: null, receipt: row.receipt, body: JSON.stringify(row), source_address: null },
    NOW,
  );
  await settleEvidence(app.db, app.vault, kept?.id ?? '', NOW);
}

it('is one form without scripts, in both languages, found from the first page', async () => {
  const home = await app.at('portal', '/');
  expect(home.text).toMatch(/<a class="plain" href="\/paid\?[^"]*">Paid already/);
  const english = await app.at('portal', '/paid');
  expect(english.text).toMatch(
    /<form class="ask" method="post" action="\/paid">[\s\S]*<textarea[^>]*name="text"/,
  );
  const swahili = await app.at('portal', '/paid?lang=sw');
  expect(swahili.text).toContain('<h1>Nimelipa</h1>');
});

it('opens slow minutes where the operator trusts, and goes on with them when it is pasted again', async () => {
  await updatePaymentPolicy(app.db, { paste_minutes: 5, paste_kbps: 256 }, NOW);
  const first = await paste(SMS);
  expect(first.status).toBe(200);
  expect(first.text).toContain('Slow internet for 5 minutes.');
  const username = shown(first);
  expect(username).toBeTruthy();
  expect(first.headers.getSetCookie().join()).toContain('karibu_device');
  expect(shown(await paste(CODE))).toBe(username);
  expect(await rows('entitlements')).toMatchObject([{ rate_down_kbps: 256, validity_seconds: 300 }]);
  expect((await claim({ text: SMS, mac: MAC })).json).toMatchObject({
    state: 'slow',
    username,
    validity_seconds: 300,
  });
  const tasks = await app.db.selectFrom('tasks').select('kind').where('kind', '=', 'confirm_claim').execute();
  expect(tasks).toHaveLength(1);
});

it('gives nothing before M-PESA confirms where the operator trusts nobody, then the plan', async () => {
  const waiting = await paste(SMS);
  expect(waiting.status).toBe(200);
  expect(waiting.text).toContain('We are checking your payment');
  expect(waiting.text).toContain(`<input type="hidden" name="text" value="${CODE}">`);
  expect((await claim({ text: CODE, mac: MAC })).json).toEqual({ state: 'checking' });
  expect(await rows('entitlements')).toEqual([]);
  await moneyComes();
  const paid = await paste(CODE);
  expect(paid.status).toBe(200);
  expect(paid.text).not.toContain('Slow internet');
  expect((await claim({ text: CODE, mac: MAC })).json).toMatchObject({
    state: 'yours',
    username: shown(paid),
  });
  expect(await rows('entitlements')).toMatchObject([{ validity_seconds: 3600 }]);
});

it('of a plan that is over, or of money that fits nothing, says so', async () => {
  await paste(SMS);
  await moneyComes();
  await app.db
    .updateTable('entitlements')
    .set({ state: 'active', starts_at: NOW, ends_at: NOW + HOUR })
    .execute();
  app.time.now = NOW + HOUR;
  const over = await paste(CODE);
  expect(over.status).toBe(409);
  expect(over.text).toContain('The plan you paid for with this code is over.');
  await app.db.updateTable('payments').set({ state: 'unmatched', amount_cents: 3300 }).execute();
  const waits = await paste(CODE, MAC, { lang: 'sw' });
  expect(waits.status).toBe(409);
  expect(waits.text).toContain('Mwonyeshe mwenye WiFi hii SMS ya M-PESA. Usilipe tena.');
  expect((await claim({ text: CODE, mac: MAC })).status).toBe(409);
});

it('of money that is here already, but that nobody could match, brings the plan at once; another phone is told', async () => {
  await moneyComes({ account_reference: 'KODI' });
  const paid = await paste(SMS);
  expect(paid.status).toBe(200);
  expect(shown(paid)).toBeTruthy();
  expect(shown(await paste(CODE))).toBe(shown(paid));
  expect(await rows('entitlements')).toMatchObject([{ validity_seconds: 3600, source: 'payment' }]);
  await moneyComes({ account_reference: 'KODI', receipt: 'VAF5555XYZ' });
  const both = await Promise.all([MAC, OTHER].map((mac) => claim({ text: 'VAF5555XYZ', mac })));
  expect(both.map(({ status }) => status).sort()).toEqual([200, 409]);
  expect(both.find(({ status }) => status === 409)?.json).toMatchObject({ code: 'conflict' });
  expect(await rows('entitlements')).toHaveLength(2);
});

it('belongs to the phone that gave it first', async () => {
  await updatePaymentPolicy(app.db, { paste_minutes: 5 }, NOW);
  await paste(SMS);
  const other = await paste(SMS, OTHER);
  expect(other.status).toBe(409);
  expect(other.text).toContain('Another phone has given this code already.');
  expect(shown(other)).toBeUndefined();
  expect((await claim({ text: CODE, mac: OTHER })).json).toMatchObject({ code: 'conflict' });
  expect(await rows('entitlements')).toHaveLength(1);
});

it('that M-PESA does not know sends the guest to the operator', async () => {
  await updatePaymentPolicy(app.db, { paste_minutes: 5 }, NOW);
  await paste(SMS);
  await refuseClaim(app.db, CODE, 'M-PESA does not know it.', NOW);
  const refused = await paste(SMS);
  expect(refused.status).toBe(409);
  expect(refused.text).toContain('M-PESA does not know this payment.');
  expect(refused.text).toContain('show the M-PESA SMS to the person who runs this WiFi');
  expect((await claim({ text: CODE, mac: MAC })).status).toBe(404);
});

it('without a code or a phone claims nothing, and shows what was pasted as text', async () => {
  const none = await paste('<b>hello</b>');
  expect(none.status).toBe(400);
  expect(none.text).toContain('&lt;b&gt;hello');
  expect(none.text).not.toContain('<b>hello');
  expect((await paste('')).status).toBe(400);
  const nowhere = await paste(SMS, null);
  expect(nowhere.status).toBe(400);
  expect(nowhere.text).toContain('join the WiFi');
  expect((await claim({ text: CODE })).status).toBe(400);
  expect((await claim({ text: '', mac: MAC })).status).toBe(400);
  expect(await rows('claims')).toEqual([]);
});

it('cannot be guessed for long, and shares its tries with vouchers', async () => {
  const tries: Answer[] = [];
  for (let i = 0; i < 12; i++) tries.push(await paste(`VAF${1000 + i}XYZ`));
  // M-PESA is not asked about more than three codes of one phone that it does not know.
  expect(tries.map(({ status }) => status)).toEqual([200, 200, 200, ...Array(9).fill(409)]);
  expect(tries[3]?.text).toContain('You gave several codes that M-PESA has not confirmed.');
  const late = await paste('VAF2000XYZ');
  expect(late.status).toBe(429);
  expect(late.text).toContain('Wait five minutes');
  expect((await claim({ text: 'VAF2000XYZ', mac: MAC })).status).toBe(429);
  expect(
    (
      await app.at('portal', '/api/redeem', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ code: 'ABCD2345', mac: MAC }),
      })
    ).status,
  ).toBe(429);
  expect(await rows('claims')).toHaveLength(3);
});
