// After a day of payments nothing secret can be read in the data folder, the log, a backup or an error page.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SIMULATED_CERTIFICATE, SIMULATED_INITIATOR } from '../../../src/simulators/mpesa/index.ts';
import { OWNER, send } from '../support/api.ts';
import { orderDetail } from '../support/books.ts';
import { runKaribu } from '../support/karibu.ts';
import { mpesaKeys, openShop, orderIn, SECRET, type Shop } from '../support/shop.ts';
import { until } from '../support/until.ts';
import { type Guest, newGuest, post, promptOf, push, successBody } from './support/counter.ts';

let shop: Shop;
let wire: Server;
/** What went over the wire to M-PESA and back, and may be nowhere else: bearers, basic keys, passwords, credentials. */
const overheard = new Set<string>();
const guests: Guest[] = [];
/** What callers got to read when something was wrong. */
const errorPages: string[] = [];

/** Stands between Karibu and M-PESA, and listens. */
async function listenIn(target: string): Promise<string> {
  wire = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const authorization = request.headers.authorization ?? '';
    overheard.add(authorization.replace(/^\w+ /, ''));
    for (const [, value] of body.matchAll(/"(?:Password|SecurityCredential)":"([^"]+)"/g))
      overheard.add(value as string);
    const asked = fetch(`${target}${request.url}`, {
      method: request.method ?? 'GET',
      headers: { authorization, 'content-type': request.headers['content-type'] ?? 'application/json' },
      ...(body ? { body } : {}),
    });
    const answer = await asked.catch(() => undefined);
    // The simulator cut the connection, so this one is cut too.
    if (!answer) return void request.socket.destroy();
    const text = await answer.text();
    for (const [, value] of text.matchAll(/"access_token":"([^"]+)"/g)) overheard.add(value as string);
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise<void>((resolve) => wire.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(wire.address() as AddressInfo).port}`;
}

beforeAll(async () => {
  shop = await openShop({ KARIBU_LOG_LEVEL: 'debug' });
  const url = `http://${shop.karibu.callback}`;
  await shop.api.put('/settings/mpesa', {
    ...mpesaKeys(shop.mpesa),
    base_url: await listenIn(shop.mpesa.baseUrl),
  });
  await shop.api.put('/tunnel', { mode: 'manual', url });
  await shop.api.post('/go-live/c2b', { version: 'v1' });
  await shop.api.put('/tunnel', { mode: 'none', url });
  await shop.api.put('/go-live/initiator', {
    name: SIMULATED_INITIATOR.name,
    password: SIMULATED_INITIATOR.password,
    certificate: SIMULATED_CERTIFICATE,
  });
});

afterAll(async () => {
  wire?.close();
  await shop?.close();
});

async function sell(...knobs: Parameters<typeof push>[1][]): Promise<{ id: string; guest: Guest }[]> {
  const sales = [];
  for (const set of knobs) {
    const sale = await push(shop, set);
    guests.push(sale.guest);
    sales.push(sale);
  }
  return sales;
}

/** Everything that can go wrong with a payment, so that everything is said that Karibu ever says. */
async function dayOfPayments(): Promise<void> {
  const [good, , late] = await sell(
    {},
    { outcome: '1032' },
    { callback_count: 0, query_error: 'internal' },
    { stk_error: 'busy_phone' },
    { stk_error: 'wrong_credentials' },
    { drop: 'after_accept' },
    { callback_shortcode: '999999' },
    { callback_amount_shillings: 15 },
    { callback_phone: 'masked' },
  );
  await orderIn(shop.karibu, good!.id, 'paid');
  await shop.api.post(`/orders/${late!.id}/query`);
  const prompt = promptOf(shop, good!.guest);
  const stranger = prompt.callback_url.replace(/[^/]+$/, 'x'.repeat(43));
  for (const address of [stranger, prompt.callback_url])
    for (const body of [successBody(prompt), successBody(prompt, { amount: 1 }), '{'])
      await post(address, body);
  const byHand = newGuest();
  guests.push(byHand);
  const to = shop.mpesa.merchants[0]!.shortcode;
  await shop.mpesa.payByHand({
    ...{ msisdn: byHand.msisdn, to },
    account_reference: 'KODI',
    amount_shillings: 20,
  });
  const { payments } = await orderDetail(shop, good!.id);
  await shop.api.post(`/payments/${payments[0]!.id}/reverse`, { remarks: 'Paid by mistake' });
  await shop.mpesa.waitUntilQuiet();
  await until(
    'the money went back',
    async () => (await shop.api.get<{ state: string }>(`/payments/${payments[0]!.id}`)).state === 'reversed',
  );

  const portal = `http://${shop.karibu.portal}`;
  const admin = `http://${shop.karibu.admin}/api/v1`;
  const keep = async (answer: Promise<{ status: number; body: unknown }>) => {
    const { status, body } = await answer;
    expect(status).toBeGreaterThanOrEqual(400);
    errorPages.push(typeof body === 'string' ? body : JSON.stringify(body));
  };
  const { number } = good!.guest;
  await keep(send('POST', `${portal}/api/orders`, { body: { plan_id: 'none', msisdn: number } }));
  await keep(send('POST', `${portal}/api/orders`, { body: { plan_id: shop.plan.id, msisdn: `${number}x` } }));
  await keep(send('GET', `${portal}/nowhere?msisdn=${number}`));
  await keep(send('GET', prompt.callback_url));
  await keep(send('POST', `${admin}/auth/login`, { body: { email: OWNER.email, password: 'not this one' } }));
  await keep(send('GET', `${admin}/payments`, { headers: { authorization: 'Bearer nobody' } }));
  await keep(shop.api.send('PUT', '/settings/mpesa', { body: { ...mpesaKeys(shop.mpesa), kind: 'purse' } }));
  await keep(
    shop.api.send('POST', `/payments/${payments[0]!.id}/reverse`, { body: { remarks: 'Once more' } }),
  );
}

/** Every file in a folder, by name. */
function filesIn(folder: string): Map<string, Buffer> {
  const names = readdirSync(folder, { recursive: true }).map(String);
  const files = names.filter((name) => statSync(path.join(folder, name)).isFile());
  return new Map(files.map((name) => [name, readFileSync(path.join(folder, name))]));
}

test('no key, passkey, PIN, token, password or full number is where it must not be', async () => {
  await dayOfPayments();
  const data = path.join(shop.karibu.folder, 'data');
  const backup = path.join(shop.karibu.folder, 'backup.tar');
  const made = await runKaribu(['backup', '--to', backup], { environment: { KARIBU_DATA_DIR: data } });
  expect(made).toMatchObject({ code: 0 });
  const running = filesIn(data);
  await shop.karibu.stop();

  const keys = mpesaKeys(shop.mpesa);
  const secrets: Record<string, string> = {
    'the consumer key': keys.consumer_key,
    'the consumer secret': keys.consumer_secret,
    'the passkey': keys.passkey,
    'the initiator’s password': SIMULATED_INITIATOR.password,
    'the owner’s password': OWNER.password,
    'the owner’s token': shop.api.token,
    'the RADIUS secret': SECRET,
  };
  for (const [at, prompt] of shop.mpesa.prompts().entries())
    secrets[`callback token ${at}`] = prompt.callback_url.split('/').at(-1)!;
  for (const [at, words] of [...overheard].filter((one) => one.length > 8).entries())
    secrets[`overheard ${at}`] = words;
  // A bearer, Basic keys, a password and a credential at least.
  expect(overheard.size).toBeGreaterThan(4);

  const log = Buffer.from(shop.karibu.output());
  const places = new Map<string, Buffer>([
    ['the log', log],
    ['the backup', readFileSync(backup)],
    ['an error page', Buffer.from(errorPages.join('\n'))],
    ...[...running].map(([name, octets]) => [`${name} while running`, octets] as const),
    ...filesIn(data),
  ]);
  expect([...places.keys()]).toEqual(expect.arrayContaining(['karibu.db', 'karibu.db-wal while running']));
  const found: string[] = [];
  for (const [place, octets] of places)
    for (const [name, secret] of Object.entries(secrets))
      for (const form of [
        secret,
        Buffer.from(secret).toString('base64'),
        Buffer.from(secret).toString('hex'),
      ])
        if (octets.includes(form)) found.push(`${name} is in ${place}`);
  // Orders and evidence hold the numbers of those who paid; what is said or shown to strangers holds none.
  for (const place of ['the log', 'an error page'])
    for (const { msisdn } of guests)
      for (const form of [msisdn, msisdn.slice(3), `0${msisdn.slice(3)}`])
        if (places.get(place)!.includes(form)) found.push(`the number ${msisdn} is in ${place}`);
  // The search itself finds what is there.
  expect(log.includes('"msg":"ready"')).toBe(true);
  expect(places.get('karibu.db')!.includes(guests[0]!.msisdn)).toBe(true);
  expect([...new Set(found)]).toEqual([]);
}, 120_000);
