// A pasted code: asked about seldom, and ended as soon as M-PESA's word on it is the last.
import { beforeEach, expect, it, vi } from 'vitest';
import { findClaim, startClaim } from '../../src/billing/claims.ts';
import type { Pulled } from '../../src/billing/gateways.ts';
import { updateInitiator } from '../../src/billing/initiator.ts';
import { findRequestByToken, keepAnswer } from '../../src/billing/mpesa-requests.ts';
import { updatePaymentPolicy } from '../../src/billing/policy.ts';
import { settleEvidence } from '../../src/billing/settle.ts';
import { writeSetting } from '../../src/db/settings.ts';
import { confirmClaim } from '../../src/jobs/confirm-claim.ts';
import { SIMULATED_CERTIFICATE } from '../../src/simulators/mpesa/index.ts';
import { HOUR, NOW, somePlan, vault } from '../access/fixtures.ts';
import { accepted, books, scriptedGateway } from '../billing/fixtures.ts';
import { onEveryStore } from '../support/stores.ts';

const MAC = 'AA:BB:CC:00:00:09';
/** Of the day that the fixtures' clock stands at. */
const CODE = 'VAF1234XYZ';

onEveryStore('confirming a claim', (store) => {
  let pull: Pulled;
  /** How many have come as far as the gateway. */
  let waiting = 0;
  let asked: { pulls: [number, number][]; statuses: string[] };
  beforeEach(async () => {
    pull = { money: [], problem: 'Pull is not enabled' };
    asked = { pulls: [], statuses: [] };
    await somePlan(store());
    await updatePaymentPolicy(store(), { paste_minutes: 5 }, NOW);
  });

  const claimed = (receipt = CODE) =>
    startClaim(store(), vault, { receipt, mac: MAC, ip: null, router_id: null }, NOW);

  const gatewayOf = () => {
    const { gateway } = scriptedGateway(accepted('1'));
    gateway.pullMoney = async (from, to) => {
      asked.pulls.push([from, to]);
      return pull;
    };
    gateway.askStatus = async ({ result_url }) => {
      asked.statuses.push(result_url.split('/').at(-1) as string);
      return { outcome: 'asked', conversation_id: 'AG_1' };
    };
    return gateway;
  };

  const confirm = (id: string, now: number, gateway = gatewayOf()) => {
    const clock = { now: () => now, monotonic: () => now };
    const mpesa = async () => {
      waiting++;
      return gateway;
    };
    const gateways = { mpesa };
    return confirmClaim(
      { db: store(), clock, gateways, kick: () => {}, noticeBaseUrl: async () => 'http://box' },
      id,
    );
  };

  async function answer(code: number | string, parameters: Record<string, unknown> = {}, now = NOW + 2000) {
    const request = await findRequestByToken(store(), asked.statuses.at(-1) as string);
    const ids = { OriginatorConversationID: 'o', ConversationID: 'AG_1', TransactionID: 'VAF9999XYZ' };
    const ResultParameter = Object.entries(parameters).map(([Key, Value]) => ({ Key, Value }));
    const body = JSON.stringify({
      Result: {
        ResultType: 0,
        ResultCode: code,
        ResultDesc: 'prose',
        ...ids,
        ResultParameters: { ResultParameter },
      },
    });
    const evidence = await keepAnswer(store(), request as never, { body, source_address: null }, now);
    await settleEvidence(store(), vault, evidence?.id as string, now);
  }

  const expectFlagged = async (id: string, problem: RegExp) => {
    expect(await findClaim(store(), id)).toMatchObject({
      state: 'refused',
      problem: expect.stringMatching(problem),
    });
    expect((await books(store())).entitlements).toMatchObject([{ state: 'revoked', end_reason: 'not_paid' }]);
    // The device is flagged: it gets nothing on trust again.
    expect(await claimed('VAF7777XYZ')).toMatchObject({ entitlement_id: null });
  };

  it('asks a score of times in two days, then ends it and flags the device', async () => {
    const { id } = await claimed();
    const times: number[] = [];
    for (let at: number | undefined = NOW; at !== undefined; ) {
      times.push(at);
      const done: { again_at?: number } = await confirm(id, at);
      at = done.again_at;
    }
    expect(times).toHaveLength(20);
    expect(times.at(-1)).toBe(NOW + 48 * HOUR);
    expect(asked.pulls).toHaveLength(20);
    await expectFlagged(id, /Nothing that M-PESA told us/);
  });

  it('ends it when the books of two days are without it, hours later', async () => {
    const { id } = await claimed();
    pull = { money: [], problem: null };
    expect(await confirm(id, NOW + 2 * HOUR)).toEqual({ outcome: 'asked', again_at: NOW + 4 * HOUR });
    expect(await confirm(id, NOW + 4 * HOUR)).toEqual({ outcome: 'refused' });
    const [from, to] = asked.pulls.at(-1) as [number, number];
    expect([from <= NOW - 44 * HOUR, to]).toEqual([true, NOW + 4 * HOUR]);
    await expectFlagged(id, /books are without it/);
  });

  it('does not, for the code of an older SMS, of which the books say nothing', async () => {
    const { id } = await claimed('VA91234XYZ');
    pull = { money: [], problem: null };
    expect(await confirm(id, NOW + 4 * HOUR)).toMatchObject({ again_at: NOW + 8 * HOUR });
    expect(await findClaim(store(), id)).toMatchObject({ state: 'waiting' });
  });

  it.each([
    ['M-PESA knows no such code', 'R000002', {}, /M-PESA said/],
    ['its payment was cancelled', 0, { TransactionStatus: 'Cancelled', ReceiptNo: CODE }, /no money/],
    [
      'it was paid to somebody else',
      0,
      { TransactionStatus: 'Completed', ReceiptNo: CODE, Amount: 20, CreditPartyName: '600999 - SHOP' },
      /600999/,
    ],
  ])('ends it at once when %s', async (_, code, parameters, why) => {
    await writeSetting(
      store(),
      'mpesa',
      { environment: 'production', shortcode: '600100', till_number: null },
      NOW,
    );
    const { id } = await claimed();
    await confirm(id, NOW + 1000);
    await answer(code, parameters);
    await expectFlagged(id, why);
    expect(await confirm(id, NOW + 3000)).toEqual({ outcome: 'It is decided.' });
  });

  it.each([
    ['is not allowed to ask', 21],
    ['has a wrong password', 2001],
    ['is told to wait', 26],
    ['gets a code that nobody knows', 'ZZ42'],
  ])('does not blame the guest when the initiator %s', async (_, code) => {
    const { id } = await claimed();
    await confirm(id, NOW + 1000);
    await answer(code);
    expect(await findClaim(store(), id)).toMatchObject({ state: 'waiting' });
    expect((await books(store())).entitlements).toMatchObject([{ state: 'waiting' }]);
  });

  it('asks no more with an initiator that M-PESA refuses, until its password is set anew', async () => {
    const initiator = { name: 'testapi', password: 'x', certificate: SIMULATED_CERTIFICATE };
    await updateInitiator(store(), vault, initiator, NOW);
    const { id } = await claimed();
    await confirm(id, NOW + 1000);
    await answer(2001);
    const other = await claimed('VAF2222XYZ');
    await confirm(other.id, NOW + 3000);
    expect(asked.statuses).toHaveLength(1);
    await updateInitiator(store(), vault, { password: 'y' }, NOW + 60_000);
    await confirm(other.id, NOW + 90_000);
    expect(asked.statuses).toHaveLength(2);
  });

  it('looks at one pull for many who ask at once, and asks about thirty codes a minute', async () => {
    const gateway = gatewayOf();
    const ids: string[] = [];
    for (let n = 10; n < 50; n++) {
      const about = { receipt: `VAF12${n}XYZ`, mac: `AA:BB:CC:00:01:${n}`, ip: null, router_id: null };
      ids.push((await startClaim(store(), vault, about, NOW)).id);
    }
    for (const id of ids) await confirm(id, NOW, gateway);
    // Whoever asks after another pull was begun needs one of their own.
    expect([asked.pulls.length, asked.statuses.length]).toEqual([40, 30]);
    await confirm(ids.at(-1) as string, NOW + 60_001, gateway);
    expect(asked.statuses).toHaveLength(31);
    asked.pulls = [];
    let go = () => {};
    const held = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { pullMoney } = gateway;
    gateway.pullMoney = async (from, to) => {
      const pulled = await pullMoney(from, to);
      await held;
      return pulled;
    };
    const first = confirm(ids[0] as string, NOW + 1000, gateway);
    await vi.waitUntil(() => asked.pulls.length === 1);
    waiting = 0;
    const others = ids.slice(1, 20).map((id) => confirm(id, NOW + 1000, gateway));
    await vi.waitUntil(() => waiting === 19);
    await new Promise((resolve) => setImmediate(resolve));
    go();
    await Promise.all([first, ...others]);
    expect(asked.pulls).toHaveLength(2);
  });

  it('takes three codes of a phone that nothing confirms, no more', async () => {
    for (const code of ['VAF1111XYZ', 'VAF2222XYZ', 'VAF3333XYZ']) await claimed(code);
    await expect(claimed('VAF4444XYZ')).rejects.toMatchObject({ code: 'rate_limited' });
    // One's own may be looked at again.
    expect(await claimed('VAF2222XYZ')).toMatchObject({ state: 'waiting' });
    expect(await store().selectFrom('claims').selectAll().execute()).toHaveLength(3);
  });
});
