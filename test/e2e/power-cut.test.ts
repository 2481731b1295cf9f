// The plug is pulled at the worst moments: what was acknowledged is there afterwards, and nothing happens twice.
import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { List } from './support/api.ts';
import { expectBooksAgree, orderDetail } from './support/books.ts';
import { hasRadclient, radclient } from './support/radclient.ts';
import { openShop, order, orderIn, SECRET, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
});

afterAll(() => shop?.close());

/** What was interrupted goes on at once: no guest waits for a lease (30 s) or for the first query (10 s). */
const AT_ONCE_SECONDS = 8;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A guest's phone logs in at the router; the answer is whether it is online. */
async function comesOnline(mac: string, username: string, password: string): Promise<boolean> {
  const { simulator } = shop.router;
  simulator.addPhone({ mac });
  const outcome = await simulator.login(mac, username, password);
  await simulator.idle();
  return 'session' in outcome;
}

async function powerCut(): Promise<void> {
  const { signal } = await shop.karibu.kill9();
  expect(signal).toBe('SIGKILL');
  await shop.karibu.restart();
}

describe('a power cut', () => {
  test('after the callback was acknowledged costs the guest nothing and gives nothing twice', async () => {
    const guests: { id: string; mac: string; checkout: string; delay: number }[] = [];
    for (let round = 0; round < 10; round++) {
      const mac = `5A:00:00:00:0C:0${round}`;
      const started = await order(shop.karibu, shop.plan, `074500000${round}`, mac);
      const prompt = await shop.mpesa.waitForPrompt((one) => one.msisdn === `25474500000${round}`);
      const delay = round === 0 ? 0 : randomInt(31);
      shop.mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
      const delivered = await shop.mpesa.waitForCallbacks(prompt.checkout_request_id);
      await pause(delay);
      await powerCut();
      expect(delivered.callbacks).toMatchObject([{ http_status: 200 }]);
      guests.push({ id: started.id, mac, checkout: prompt.checkout_request_id, delay });
    }
    for (const { id, mac, checkout, delay } of guests) {
      const paid = await orderIn(shop.karibu, id, 'paid', AT_ONCE_SECONDS);
      const detail = await orderDetail(shop, id);
      expect(detail.checkout_request_id, `cut after ${delay} ms`).toBe(checkout);
      expect(detail.payments, `cut after ${delay} ms`).toHaveLength(1);
      // It was the acknowledged callback that settled it: no query knows the receipt.
      expect(detail.payments[0]!.receipt, `cut after ${delay} ms`).not.toBeNull();
      expect(await comesOnline(mac, paid.username!, paid.password!)).toBe(true);
      expect(await comesOnline(mac.replace('5A', '5E'), paid.username!, paid.password!)).toBe(false);
    }
    await expectBooksAgree(shop);
  });

  test('while the push is on its way loses no money and asks for none twice', async () => {
    const { mpesa, karibu, plan } = shop;
    const before = mpesa.counts().pushes;
    const [msisdn, mac] = ['254745111111', '5A:00:00:00:0D:01'];
    // M-PESA takes the push in, but its answer finds nobody.
    mpesa.setKnobs({ accept_delay_ms: 1500 });
    const asking = order(karibu, plan, '0745 111 111', mac).catch(() => undefined);
    await until('the push has arrived', () => mpesa.counts().pushes > before);
    await powerCut();
    expect(await asking).toBeUndefined();
    mpesa.setKnobs({ accept_delay_ms: 0 });

    const [pending] = (await shop.api.get<List<{ id: string; state: string }>>('/orders')).items;
    expect(['pending', 'checking']).toContain(pending!.state);
    const again = await order(karibu, plan, '0745 111 111', mac);
    expect(again.id).toBe(pending!.id);
    expect(mpesa.counts().pushes).toBe(before + 1);
    const prompt = await mpesa.waitForPrompt((one) => one.msisdn === msisdn);
    mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    const paid = await orderIn(karibu, again.id, 'paid');
    expect(await comesOnline(mac, paid.username!, paid.password!)).toBe(true);
    await expectBooksAgree(shop);
  });

  test.skipIf(!hasRadclient)('keeps every accounting packet that was answered', async () => {
    const batch = await shop.api.post<{ id: string }>('/voucher-batches', {
      plan_id: shop.plan.id,
      count: 1,
    });
    const [voucher] = await shop.api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    const about = {
      'User-Name': voucher!.code,
      'Calling-Station-Id': '5A:00:00:00:0E:01',
      'Framed-IP-Address': '10.5.50.99',
      'NAS-Identifier': 'radclient',
      'NAS-IP-Address': '127.0.0.1',
      'Acct-Session-Id': '80F00001',
    };
    const login = await radclient('auth', shop.karibu.radius_auth, SECRET, {
      ...about,
      'User-Password': voucher!.code,
    });
    const className = /Class = (0x[0-9a-f]+)/.exec(login.output)![1]!;
    const account = (status: string, seconds: number, download: number) =>
      radclient('acct', shop.karibu.radius_acct, SECRET, {
        ...about,
        Class: className,
        'Acct-Status-Type': status,
        'Acct-Session-Time': seconds,
        'Acct-Input-Octets': Math.floor(download / 10),
        'Acct-Output-Octets': download,
      });
    const stored = async () => {
      const { items } = await shop.api.get<List<Record<string, unknown>>>(`/sessions?q=${voucher!.code}`);
      return items;
    };
    for (const [status, seconds, download] of [
      ['Start', 0, 0],
      ['Interim-Update', 60, 1_000_000],
      ['Interim-Update', 120, 2_500_000],
    ] as const) {
      const answer = await account(status, seconds, download);
      expect(answer.code).toBe('Accounting-Response');
      await powerCut();
      expect(await stored()).toMatchObject([
        { state: 'open', session_seconds: seconds, download_octets: download, upload_octets: download / 10 },
      ]);
    }
    expect((await account('Stop', 130, 3_000_000)).code).toBe('Accounting-Response');
    await powerCut();
    expect(await stored()).toMatchObject([{ state: 'closed', download_octets: 3_000_000 }]);
    const [entitlement] = (await shop.api.get<List<Record<string, unknown>>>('/entitlements')).items;
    expect(entitlement).toMatchObject({ used_download_octets: 3_000_000, used_upload_octets: 300_000 });
  });

  test('in the middle of a batch of 5,000 vouchers: it is completed, with no code twice', async () => {
    const { api, karibu, plan } = shop;
    const read = (id: string) =>
      api.get<{ id: string; made: number; state: string }>(`/voucher-batches/${id}`);
    // The making may outrun the question; then another batch is asked for.
    const cut = await until('a batch is cut short', async () => {
      const { id } = await api.post<{ id: string }>('/voucher-batches', { plan_id: plan.id, count: 5000 });
      const begun = await until(`batch ${id} is begun`, async () => {
        const now = await read(id);
        return now.made > 0 ? now : undefined;
      });
      return begun.state === 'making' ? begun : undefined;
    });
    await karibu.kill9();
    expect(cut.made).toBeLessThan(5000);
    await karibu.restart();
    const ready = await until(
      'the batch is ready',
      async () => {
        const now = await read(cut.id);
        return now.state === 'ready' ? now : undefined;
      },
      AT_ONCE_SECONDS,
    );
    expect(ready.made).toBe(5000);
    const vouchers = await api.all<{ code: string }>(`/voucher-batches/${cut.id}/vouchers`);
    expect(new Set(vouchers.map(({ code }) => code)).size).toBe(5000);
  });
});
