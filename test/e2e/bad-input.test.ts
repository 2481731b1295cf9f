// Rubbish at every door of the running binary: a clear error or silence, and nothing lost or half-done.
import { randomBytes, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { attribute } from '../../src/protocols/radius/attributes.ts';
import { Code, encodeRequest } from '../../src/protocols/radius/packet.ts';
import { hidePassword } from '../../src/protocols/radius/passwords.ts';
import { type Answer, send } from './support/api.ts';
import { expectBooksAgree } from './support/books.ts';
import { hasRadclient, radclient } from './support/radclient.ts';
import { HOUR, openShop, orderIn, type PortalOrder, SECRET, type Shop } from './support/shop.ts';

let shop: Shop;

beforeAll(async () => {
  shop = await openShop();
});

afterAll(() => shop?.close());

afterEach(() => {
  expect(shop.karibu.isRunning()).toBe(true);
  expect(shop.karibu.output()).not.toMatch(/"level":"error"/);
});

const portal = (path: string) => `http://${shop.karibu.portal}${path}`;

function expectProblem(answer: Answer<unknown>, status: number, code: string) {
  expect(answer).toMatchObject({ status, body: { status, code, detail: expect.any(String) } });
  expect(answer.headers.get('content-type')).toContain('application/problem+json');
}

describe('the admin API', () => {
  test.each([
    ['malformed JSON', '{"name": '],
    ['no JSON', 'name=x'],
    ['an array', '[]'],
    ['a text', '"plan"'],
    ['null', 'null'],
    ['nothing', ''],
    ['a broken UTF-8 sequence', Buffer.from([0x7b, 0xff, 0xfe, 0x7d])],
  ])('refuses %s with a reason', async (_, raw) => {
    expectProblem(await shop.api.send('POST', '/plans', { raw }), 400, 'invalid');
  });

  test.each<[string, Record<string, unknown>]>([
    ['a negative price', { price_cents: -1 }],
    ['a price with a fraction', { price_cents: 10.5 }],
    ['a price as text', { price_cents: '2000' }],
    ['an endless price', { price_cents: 1e300 }],
    ['no validity', { validity_seconds: 0 }],
    ['a negative validity', { validity_seconds: -3600 }],
    ['no device', { max_devices: 0 }],
    ['a negative quota', { quota_octets: -1 }],
    ['a negative rate', { rate_down_kbps: -1 }],
    ['an empty name', { name: '   ' }],
    ['a name of a million letters', { name: 'x'.repeat(50_000) }],
    ['an unknown kind', { kind: 'free' }],
  ])('refuses a plan with %s, naming the field', async (_, wrong) => {
    const before = await shop.api.all('/plans');
    const answer = await shop.api.send('POST', '/plans', { body: { ...HOUR, ...wrong } });
    expectProblem(answer, 400, 'invalid');
    expect(answer.body).toHaveProperty(`fields.${Object.keys(wrong)[0]}`);
    expect(await shop.api.all('/plans')).toEqual(before);
  });

  test('refuses a body that is too large with 413, and goes on', async () => {
    const body = (length: number) => ({ body: { ...HOUR, description: 'x'.repeat(length) } });
    expectProblem(await shop.api.send('POST', '/plans', body(200_000)), 413, 'invalid');
    // So large a body may find the connection closed before it has been sent.
    const answer = await shop.api.send('POST', '/plans', body(5_000_000)).catch(() => undefined);
    expect([413, undefined]).toContain(answer?.status);
    expect((await send('GET', `http://${shop.karibu.admin}/healthz`)).status).toBe(200);
  });

  test.each([
    ['GET', '/plans/nothing'],
    ['GET', '/plans/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['PATCH', '/plans/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['GET', '/orders/%00'],
    ['GET', "/orders/' or 1=1 --"],
    ['GET', '/payments/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['GET', '/sessions/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['POST', '/sessions/01aaaaaaaaaaaaaaaaaaaaaaaa/disconnect'],
    ['GET', '/voucher-batches/01aaaaaaaaaaaaaaaaaaaaaaaa/vouchers'],
    ['GET', '/routers/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['DELETE', '/routers/01aaaaaaaaaaaaaaaaaaaaaaaa'],
    ['GET', '/nothing-of-ours'],
  ])('answers %s %s with not found', async (method, path) => {
    const options = method === 'GET' ? {} : { body: {} };
    expectProblem(await shop.api.send(method, path, options), 404, 'not_found');
  });

  test.each([
    ['/plans?limit=0'],
    ['/plans?limit=1001'],
    ['/plans?limit=many'],
    ['/sessions?state=sideways'],
    [`/vouchers?q=${'x'.repeat(500)}`],
  ])('refuses the query %.40s', async (path) => {
    expectProblem(await shop.api.send('GET', path), 400, 'invalid');
  });

  test('shows nothing without a sign-in, or with a wrong one', async () => {
    const wrong: Record<string, string>[] = [
      {},
      { authorization: 'Bearer wrong' },
      { cookie: 'karibu_login=wrong' },
    ];
    for (const headers of wrong) {
      for (const path of ['/plans', '/payments', '/settings', '/voucher-batches', '/events']) {
        const answer = await send('GET', `http://${shop.karibu.admin}/api/v1${path}`, { headers });
        expectProblem(answer, 401, 'unauthorized');
      }
    }
  });

  test('takes no change from another site’s form', async () => {
    const cookie = `karibu_login=${shop.api.token}`;
    const url = `http://${shop.karibu.admin}/api/v1/plans`;
    const form = await send('POST', url, {
      raw: JSON.stringify(HOUR),
      headers: { cookie, 'content-type': 'text/plain' },
    });
    expect(form.status).toBe(400);
    for (const origin of ['http://evil.example', 'evil']) {
      expectProblem(await send('POST', url, { body: HOUR, headers: { cookie, origin } }), 403, 'forbidden');
    }
    expect(await shop.api.all('/plans')).toHaveLength(1);
  });

  test('refuses a batch of nothing, of too many, of no plan', async () => {
    const batch = (body: unknown) => shop.api.send('POST', '/voucher-batches', { body });
    for (const count of [0, -5, 100_001, 1.5, '10']) {
      expectProblem(await batch({ plan_id: shop.plan.id, count }), 400, 'invalid');
    }
    expectProblem(await batch({ plan_id: '01aaaaaaaaaaaaaaaaaaaaaaaa', count: 1 }), 404, 'not_found');
    expect(await shop.api.all('/voucher-batches')).toEqual([]);
  });

  test('refuses a router without an address of its own', async () => {
    const router = (address: unknown) =>
      shop.api.send('POST', '/routers', { body: { name: 'Two', address } });
    for (const address of ['', 'kiosk.local', '1.2.3', '1.2.3.4/33', 7, null]) {
      expectProblem(await router(address), 400, 'invalid');
    }
    expectProblem(await router('127.0.0.1'), 409, 'conflict');
  });

  test('says that a second first account is too late', async () => {
    const body = { email: 'x@example.com', name: 'X', password: 'long enough, surely', business_name: 'X' };
    const answer = await send('POST', `http://${shop.karibu.admin}/api/v1/auth/setup`, { body });
    expectProblem(answer, 409, 'conflict');
  });
});

describe('files', () => {
  test.each([
    '/assets/..%2f..%2fetc%2fpasswd',
    '/assets/%2e%2e/%2e%2e/package.json',
    '/assets/....//karibu.db',
    '/assets/admin.js%00.css',
    '/assets/../karibu.key',
    '/assets/nothing.js',
  ])('none but ours are served: %s', async (path) => {
    for (const door of [shop.karibu.admin, shop.karibu.portal]) {
      // As written: fetch would tidy the path up first.
      const text = await rawGet(door, path);
      expect(text).toMatch(/^HTTP\/1\.1 (404|400|200) /);
      expect(text).not.toMatch(/root:|"dependencies"|SQLite format/);
      if (text.startsWith('HTTP/1.1 200')) expect(text).toContain('<div id="app">');
    }
  });
});

describe('the doors', () => {
  test('are apart: none answers what belongs to another', async () => {
    const { admin, callback } = shop.karibu;
    expect((await send('GET', portal('/api/v1/plans'))).status).toBe(404);
    expect((await send('GET', `http://${callback}/api/v1/plans`)).status).toBe(404);
    expect((await send('GET', `http://${callback}/`)).status).toBe(404);
    expect((await send('GET', `http://${callback}/api/plans`)).status).toBe(404);
    expect((await send('POST', `http://${admin}/cb/mpesa/x`, { body: {} })).status).toBe(404);
    expect((await send('POST', portal('/cb/mpesa/x'), { body: {} })).status).toBe(404);
    expect((await send('POST', `http://${admin}/api/orders`, { body: {} })).status).toBe(404);
  });

  test('know which methods they take', async () => {
    expect((await send('DELETE', portal('/api/plans'))).status).toBeGreaterThanOrEqual(404);
    expect((await send('GET', portal('/api/redeem'))).status).toBeGreaterThanOrEqual(404);
    expect((await send('GET', `http://${shop.karibu.callback}/cb/mpesa/x`)).status).toBeGreaterThanOrEqual(
      404,
    );
    expect((await shop.api.send('PUT', '/plans', { body: HOUR })).status).toBeGreaterThanOrEqual(404);
  });
});

describe('the portal', () => {
  test.each([
    '0712345601',
    '712345602',
    '254712345603',
    '+254712345604',
    '+254 712 345 605',
    '00254712345606',
    '0712-345-607',
    ' 0712 345 608 ',
    '(0712) 345609',
    '0110345610',
    '+254110345611',
    '254 0712 345 612',
  ])('takes the phone number %j', async (msisdn) => {
    const answer = await send<PortalOrder>('POST', portal('/api/orders'), {
      body: { plan_id: shop.plan.id, msisdn },
    });
    expect(answer.status).toBe(201);
    const digits = msisdn.replace(/\D/g, '').slice(-9);
    const prompt = await shop.mpesa.waitForPrompt((one) => one.msisdn === `254${digits}`);
    shop.mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    await orderIn(shop.karibu, answer.body.id, 'paid');
    await expectBooksAgree(shop);
  });

  test.each<[unknown]>([
    ['0812345678'],
    ['071234567'],
    ['07123456789'],
    ['+255712345678'],
    ['0712 34S 678'],
    [''],
    ['null'],
    [null],
    [712345678],
    [['0712345678']],
    ['0712345678; drop table orders'],
    ['7'.repeat(40)],
  ])('refuses the phone number %j, and asks nobody', async (msisdn) => {
    const before = shop.mpesa.counts().pushes;
    const answer = await send('POST', portal('/api/orders'), { body: { plan_id: shop.plan.id, msisdn } });
    expectProblem(answer, 400, 'invalid');
    expect(answer.body).toHaveProperty('fields.msisdn');
    expect(shop.mpesa.counts().pushes).toBe(before);
  });

  test('refuses orders for no plan, with wrong addresses, and what is no JSON', async () => {
    const post = (options: Parameters<typeof send>[2]) => send('POST', portal('/api/orders'), options);
    const good = { plan_id: shop.plan.id, msisdn: '0712345678' };
    expectProblem(await post({ body: { ...good, plan_id: 'nothing' } }), 404, 'not_found');
    expectProblem(await post({ body: { ...good, mac: 'my phone' } }), 400, 'invalid');
    expectProblem(await post({ body: { ...good, ip: '999.1.1.1' } }), 400, 'invalid');
    expectProblem(await post({ raw: '{' }), 400, 'invalid');
    expectProblem(await post({ raw: '' }), 400, 'invalid');
    expectProblem(await post({ raw: 'x'.repeat(200_000) }), 413, 'invalid');
    const form = {
      raw: `code=${'x'.repeat(200_000)}`,
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    };
    const page = await send<string>('POST', portal('/voucher'), form);
    expect(page.status).toBe(413);
    expect(page.body).toContain('<html');
    expectProblem(await send('GET', portal('/api/orders/nothing')), 404, 'not_found');
    expectProblem(await send('POST', portal('/api/redeem'), { body: {} }), 400, 'invalid');
    expectProblem(
      await send('POST', portal('/api/redeem'), { body: { code: 'ZZZZ9999' } }),
      404,
      'not_found',
    );
  });

  test('shows what it is told as text, never as markup', async () => {
    const attack = '"><script>alert(1)</script>';
    for (const path of [
      `/voucher?code=${encodeURIComponent(attack)}`,
      `/buy?plan=${shop.plan.id}&msisdn=${encodeURIComponent(attack)}`,
      `/?mac=5A:00:00:00:0F:01&error=${encodeURIComponent(attack)}`,
      `/${encodeURIComponent(attack)}`,
    ]) {
      const { body } = await send<string>('GET', portal(path));
      expect(body).toContain('<html');
      expect(body).not.toContain('<script>alert');
    }
  });

  test('posts credentials to no login page but a router’s own', async () => {
    const query = new URLSearchParams({
      mac: '5A:00:00:00:0F:02',
      'link-login-only': 'http://evil.example/login',
    });
    const batch = await shop.api.post<{ id: string }>('/voucher-batches', {
      plan_id: shop.plan.id,
      count: 1,
    });
    const [voucher] = await shop.api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    const answer = await send<string>('POST', portal(`/voucher?${query}`), {
      raw: new URLSearchParams({ code: voucher!.code }).toString(),
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    expect(answer.status).toBe(200);
    expect(answer.body).not.toContain('evil.example');
    expect(answer.body).toContain(voucher!.code);
  });
});

describe('the callback door', () => {
  const callback = (token: string, raw: string | Uint8Array, headers: Record<string, string> = {}) =>
    send('POST', `http://${shop.karibu.callback}/cb/mpesa/${token}`, { raw, headers });

  test.each([
    ['nothing', ''],
    ['HTML', '<html><body>502 Bad Gateway</body></html>'],
    ['malformed JSON', '{"Body":{"stkCallback":'],
    ['another JSON', '{"hello":"world"}'],
    ['an array', '[1,2,3]'],
    ['octets', randomBytes(2000)],
    ['NUL', '{"Body":"\u0000"}'],
  ])('takes %s for an unknown token and grants nothing', async (_, raw) => {
    const answer = await callback('no-such-token', raw);
    expect(answer.status).toBe(200);
    await expectBooksAgree(shop);
  });

  test('refuses 200 kilobytes and five megabytes', async () => {
    expect((await callback('no-such-token', Buffer.alloc(200_000, 'x'))).status).toBe(413);
    // So large a body may find the connection closed before it has been sent.
    const answer = await callback('no-such-token', Buffer.alloc(5_000_000, 'x')).catch(() => undefined);
    expect([413, undefined]).toContain(answer?.status);
    await expectBooksAgree(shop);
  });

  test('believes no forgery at the right address: junk, another request’s ids, a strange amount', async () => {
    const { karibu, mpesa, plan, api } = shop;
    const { body } = await send<PortalOrder>('POST', portal('/api/orders'), {
      body: { plan_id: plan.id, msisdn: '0746000000' },
    });
    const prompt = await mpesa.waitForPrompt((one) => one.msisdn === '254746000000');
    const token = prompt.callback_url.split('/').at(-1)!;
    const forged = (stkCallback: Record<string, unknown>) => JSON.stringify({ Body: { stkCallback } });
    const ids = {
      MerchantRequestID: prompt.merchant_request_id,
      CheckoutRequestID: prompt.checkout_request_id,
      ResultDesc: 'ok',
    };
    for (const raw of [
      '',
      '<html>',
      '{}',
      forged({ ...ids, ResultCode: 0 }),
      forged({ ...ids, ResultCode: 0, CallbackMetadata: { Item: [{ Name: 'Amount', Value: 'lots' }] } }),
      forged({ ...ids, ResultCode: 0, CallbackMetadata: { Item: [{ Name: 'Amount', Value: -20 }] } }),
      forged({
        ...ids,
        CheckoutRequestID: 'ws_CO_211120261200000000745000000',
        ResultCode: 0,
        CallbackMetadata: { Item: [{ Name: 'Amount', Value: 20 }] },
      }),
    ]) {
      expect((await callback(token, raw)).status).toBe(200);
    }
    // Once the true one has come, all before it has been read.
    mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    await orderIn(karibu, body.id, 'paid');
    const detail = await api.get<{ evidence: { state: string }[] }>(`/orders/${body.id}`);
    expect(detail.evidence.filter(({ state }) => state === 'used')).toHaveLength(1);
    await expectBooksAgree(shop);
  });
});

describe('RADIUS', () => {
  /** Sends datagrams and counts what comes back until a good request sent after them is answered. */
  async function shoot(address: string, datagrams: Buffer[]): Promise<number> {
    const [host, port] = [address.split(':')[0]!, Number(address.split(':')[1])];
    const socket = createSocket('udp4');
    let answers = 0;
    await new Promise<void>((resolve, reject) => {
      let known = false;
      socket.on('message', (message) => {
        if (message.readUInt8(1) === 77 && message.readUInt8(0) === Code.AccessReject) {
          known = true;
          resolve();
        } else answers += 1;
      });
      socket.once('error', reject);
      for (const datagram of datagrams) socket.send(datagram, port, host);
      const last = address === shop.karibu.radius_auth ? goodRequest(77) : undefined;
      const again = () => {
        if (known || !last) return;
        socket.send(last, port, host);
        setTimeout(again, 200);
      };
      if (last) again();
      else socket.send(Buffer.alloc(1), port, host, () => setTimeout(resolve, 300));
    });
    socket.close();
    return answers;
  }

  function goodRequest(identifier: number, secret = SECRET): Buffer {
    const authenticator = randomBytes(16);
    return encodeRequest(
      {
        code: Code.AccessRequest,
        identifier,
        authenticator,
        attributes: [
          attribute('User-Name', 'nobody'),
          attribute('User-Password', hidePassword('x', Buffer.from(secret), authenticator)),
          attribute('NAS-Identifier', 'junk'),
        ],
      },
      Buffer.from(secret),
      { messageAuthenticator: 'last' },
    ).bytes;
  }

  test('answers junk with silence, stays alive, and answers the next good request', async () => {
    const noise = Array.from({ length: 300 }, () => randomBytes(randomInt(1, 1500)));
    const headed = Array.from({ length: 300 }, () => {
      const packet = randomBytes(randomInt(20, 400));
      packet.writeUInt8([1, 4, 2, 3, 5, 11, 12, 40, 43][randomInt(9)]!, 0);
      packet.writeUInt16BE(packet.length, 2);
      return packet;
    });
    const whole = goodRequest(5);
    const cut = Array.from({ length: whole.length - 1 }, (_, length) => whole.subarray(0, length));
    const lying = [0, 19, 20, 4097, 65_535].map((length) => {
      const packet = Buffer.from(whole);
      packet.writeUInt16BE(length, 2);
      return packet;
    });
    const bent = Array.from({ length: 60 }, () => {
      const packet = Buffer.from(whole);
      const at = randomInt(20, packet.length);
      packet.writeUInt8(packet.readUInt8(at) ^ (1 << randomInt(8)), at);
      return packet;
    });
    // After one with a Message-Authenticator none without is taken from that router.
    expect(await shoot(shop.karibu.radius_auth, [])).toBe(0);
    expect(await shoot(shop.karibu.radius_auth, [...noise, ...headed, ...cut, ...lying, ...bent])).toBe(0);
    expect(await shoot(shop.karibu.radius_acct, [...noise, ...headed, ...cut])).toBe(0);
  });

  test('answers a wrong secret with silence', async () => {
    expect(await shoot(shop.karibu.radius_auth, [goodRequest(6, 'another secret')])).toBe(0);
  });

  test.skipIf(!hasRadclient)('is heard by radclient with the right secret alone', async () => {
    const about = { 'User-Name': 'nobody', 'User-Password': 'x', 'NAS-Identifier': 'radclient' };
    expect((await radclient('auth', shop.karibu.radius_auth, 'another secret', about)).code).toBeUndefined();
    expect((await radclient('auth', shop.karibu.radius_auth, SECRET, about)).code).toBe('Access-Reject');
    const account = { ...about, 'Acct-Status-Type': 'Start', 'Acct-Session-Id': 'J1' };
    expect(
      (await radclient('acct', shop.karibu.radius_acct, 'another secret', account)).code,
    ).toBeUndefined();
    expect((await radclient('acct', shop.karibu.radius_acct, SECRET, account)).code).toBe(
      'Accounting-Response',
    );
  });
});

/** One GET with the path exactly as given; the whole answer as text. */
async function rawGet(address: string, path: string): Promise<string> {
  const { connect } = await import('node:net');
  const [host, port] = [address.split(':')[0]!, Number(address.split(':')[1])];
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () =>
      socket.write(`GET ${path} HTTP/1.1\r\nhost: ${address}\r\nconnection: close\r\n\r\n`),
    );
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.once('error', reject);
    socket.once('close', () => resolve(text));
  });
}
