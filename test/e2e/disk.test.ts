// The disk is full, read-only or broken while guests are online: nothing is acknowledged that is not kept, and it heals.
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { buildFaultyDisk, onFaultyDisk } from '../shims/build.ts';
import { type List, send } from './support/api.ts';
import { expectBooksAgree } from './support/books.ts';
import { runKaribu } from './support/karibu.ts';
import { hasRadclient, radclient } from './support/radclient.ts';
import { HOUR, openShop, order, orderIn, SECRET, type Shop } from './support/shop.ts';
import { until } from './support/until.ts';

const shim = buildFaultyDisk();
const folder = mkdtempSync(path.join(tmpdir(), 'karibu-faulty-'));
const control = path.join(folder, 'control');
const becomes = (mode: string) => writeFileSync(control, mode);
becomes('');
/** Where startKaribu makes its folders. */
const DISK = path.join(realpathSync(tmpdir()), 'karibu-e2e-');

let shop: Shop;

beforeAll(async () => {
  if (shim) shop = await openShop(onFaultyDisk(shim, { path: DISK, control }));
});

afterEach(async () => {
  becomes('');
  if (shop) await until('the disk is well', async () => (await disk()).ok, 30);
});

afterAll(async () => {
  await shop?.close();
  rmSync(folder, { recursive: true });
});

interface Me {
  disk: { ok: boolean; problem?: string; message?: string; hint?: string };
}

const disk = async () => (await shop.api.get<Me>('/auth/me')).disk;

/** What was logged since, as lines. */
function logSince(mark: number): { level: string; msg: string }[] {
  return shop.karibu
    .output()
    .slice(mark)
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as { level: string; msg: string });
}

const WORDS = {
  full: 'The disk is full: nothing can be sold or counted.',
  read_only: 'The disk has become read-only: nothing can be sold or counted.',
  failing: 'The disk fails: nothing can be sold or counted.',
};

interface Guest {
  code: string;
  mac: string;
  session: string;
}

function guestOf(code: string, number: number): Guest {
  return { code, mac: `5A:00:00:00:1D:${String(number).padStart(2, '0')}`, session: `80D0000${number}` };
}

const about = ({ code, mac, session }: Guest) => ({
  'User-Name': code,
  'Calling-Station-Id': mac,
  'NAS-Identifier': 'radclient',
  'NAS-IP-Address': '127.0.0.1',
  'Acct-Session-Id': session,
});

async function logIn(guest: Guest) {
  const { code } = await radclient('auth', shop.karibu.radius_auth, SECRET, {
    ...about(guest),
    'User-Password': guest.code,
  });
  return code;
}

async function report(guest: Guest, status: string, seconds: number, download: number) {
  const { code } = await radclient('acct', shop.karibu.radius_acct, SECRET, {
    ...about(guest),
    'Acct-Status-Type': status,
    'Acct-Session-Time': seconds,
    'Acct-Input-Octets': download / 10,
    'Acct-Output-Octets': download,
  });
  return code;
}

async function sessionsOf(guest: Guest) {
  const { items } = await shop.api.get<List<Record<string, unknown>>>(`/sessions?q=${guest.code}`);
  return items;
}

describe.runIf(shim && hasRadclient)('a disk', () => {
  test.each([
    ['full', 'full', 1],
    ['readonly', 'read_only', 2],
    ['broken', 'failing', 3],
  ] as const)('that is %s while guests are online', async (mode, problem, round) => {
    const batch = await shop.api.post<{ id: string }>('/voucher-batches', {
      plan_id: shop.plan.id,
      count: 2,
    });
    const vouchers = await shop.api.all<{ code: string }>(`/voucher-batches/${batch.id}/vouchers`);
    const [online, fresh] = vouchers.map(({ code }, index) => guestOf(code, 10 * round + index)) as [
      Guest,
      Guest,
    ];
    expect(await logIn(online)).toBe('Access-Accept');
    expect(await report(online, 'Start', 0, 0)).toBe('Accounting-Response');
    const msisdn = `25474600000${round}`;
    const bought = await order(shop.karibu, shop.plan, msisdn, fresh.mac.replace('5A', '5E'));
    const prompt = await shop.mpesa.waitForPrompt((one) => one.msisdn === msisdn);

    const mark = shop.karibu.output().length;
    becomes(mode);

    // What must be kept is acknowledged only where the spool, whose room was taken before, has it.
    shop.mpesa.answer(prompt.checkout_request_id, { action: 'pin', pin: '1234' });
    const { callbacks } = await shop.mpesa.waitForCallbacks(prompt.checkout_request_id);
    expect(callbacks).toMatchObject([{ http_status: mode === 'broken' ? 503 : 200 }]);
    const silence = await Promise.all([report(online, 'Interim-Update', 60, 1_000_000), logIn(fresh)]);
    expect(silence).toEqual([undefined, undefined]);
    const refused = await shop.api.send('POST', '/plans', { body: { ...HOUR, name: `Day ${round}` } });
    expect(refused).toMatchObject({ status: 503, body: { detail: expect.stringMatching(/^The disk /) } });
    // Nobody is asked to pay for what could not be written down.
    const pushes = shop.mpesa.counts().pushes;
    const wish = { body: { plan_id: shop.plan.id, msisdn: `25474700000${round}` } };
    expect((await send('POST', `http://${shop.karibu.portal}/api/orders`, wish)).status).toBe(503);
    expect(shop.mpesa.counts().pushes).toBe(pushes);
    // What needs no writing goes on, and nobody is sent away.
    expect(await logIn(online)).toBe('Access-Accept');
    expect(await sessionsOf(online)).toMatchObject([{ state: 'open', disconnect_state: null }]);
    expect((await send('GET', `http://${shop.karibu.portal}/`)).status).toBe(200);
    // It is told, and once.
    expect(await disk()).toMatchObject({ ok: false, problem, message: WORDS[problem] });
    expect((await disk()).hint).toMatch(/box|card/);
    const told = logSince(mark).filter(({ level }) => level === 'error' || level === 'warn');
    expect(told).toMatchObject([{ level: 'error', msg: WORDS[problem], problem }]);

    becomes('');
    await until('the disk is well', async () => (await disk()).ok, 30);
    expect(logSince(mark).filter(({ msg }) => msg === 'The disk is written again.')).toHaveLength(1);

    // What was refused is taken when it is repeated, and the payment is asked for.
    expect(await report(online, 'Interim-Update', 120, 2_000_000)).toBe('Accounting-Response');
    expect(await sessionsOf(online)).toMatchObject([{ state: 'open', download_octets: 2_000_000 }]);
    expect(await logIn(fresh)).toBe('Access-Accept');
    await orderIn(shop.karibu, bought.id, 'paid', 60);
    await expectBooksAgree(shop);
    expect(logSince(mark).filter(({ level }) => level === 'error')).toHaveLength(1);
  });

  test('that has little room is told of before it is full', async () => {
    expect((await disk()).ok).toBe(true);
    const mark = shop.karibu.output().length;
    becomes('low');
    const low = await until('it is noticed', async () => {
      const now = await disk();
      return now.ok ? undefined : now;
    });
    expect(low).toMatchObject({ problem: 'low', message: 'There is little room left on the disk: 199 MB.' });
    expect(await shop.api.post('/plans', { ...HOUR, name: 'Still sold' })).toMatchObject({
      name: 'Still sold',
    });
    becomes('');
    await until('there is room', async () => (await disk()).ok);
    expect(logSince(mark).filter(({ level }) => level === 'warn')).toMatchObject([
      { msg: 'There is little room left on the disk.', free: '199 MB' },
    ]);
  });

  test('that is full when Karibu starts is told in words, with an exit code', async () => {
    const data = path.join(`${DISK}start`, 'data');
    const environment = { ...onFaultyDisk(shim as string, { path: data, control }), KARIBU_DATA_DIR: data };
    mkdirSync(data, { recursive: true });
    try {
      becomes('full');
      const full = await runKaribu(['migrate'], { environment });
      expect(full).toMatchObject({ code: 1, stdout: '' });
      expect(full.stderr).toMatch(/^karibu: .*karibu\.db cannot be opened: its disk is full\.\nMake room/);
      becomes('readonly');
      const readOnly = await runKaribu(['migrate'], { environment });
      expect(readOnly.code).toBe(1);
      expect(readOnly.stderr).toMatch(/^karibu: .*karibu\.db cannot be opened: its disk is read-only\.\n/);
      becomes('');
      expect(await runKaribu(['migrate'], { environment })).toMatchObject({ code: 0, stderr: '' });
    } finally {
      rmSync(path.dirname(data), { recursive: true });
    }
  });
});

test('a database that is damaged, or none, ends the start in words, with an exit code', async () => {
  const data = mkdtempSync(path.join(tmpdir(), 'karibu-damaged-'));
  try {
    writeFileSync(path.join(data, 'karibu.db'), 'this was a database once '.repeat(1000));
    const { code, stderr } = await runKaribu(['serve', '--data', data]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^karibu: .*karibu\.db is damaged, or no database\.\nKeep a copy of it/);
    expect(stderr).not.toContain('    at ');
    rmSync(path.join(data, 'karibu.db'));
    mkdirSync(path.join(data, 'karibu.db'));
    const folder = await runKaribu(['serve', '--data', data]);
    expect(folder.code).toBe(1);
    expect(folder.stderr).toMatch(/^karibu: .*karibu\.db cannot be opened\.\n/);
  } finally {
    rmSync(data, { recursive: true });
  }
});
