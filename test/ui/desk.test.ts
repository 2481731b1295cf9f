// What the cash desk prints, sends and reads: slips as texts, amounts as typed, user names to begin with.
import { expect, it } from 'vitest';
import { movedCents, way } from '../../ui/admin/pages/ledger.ts';
import { userNameFrom } from '../../ui/admin/pages/sell-home.ts';
import { slipText } from '../../ui/admin/pages/slip.ts';
import { smsHref } from '../../ui/admin/parts/sms-link.ts';
import type { CashSale, Slip } from '../../ui/admin/types.ts';
import { parseMoney } from '../../ui/shared/units.ts';

const sale: CashSale = {
  payment_id: 'p1',
  plan_name: '1 day',
  amount_cents: 8000,
  code: 'ABCD2345',
  voucher_made: 1,
  voucher_state: 'unused',
  voided_at: null,
  void_reason: null,
  account_name: 'Asha',
  msisdn: null,
  created_at: 0,
};
const slip: Slip = {
  sale,
  business: { name: 'Mama WiFi', support_phone: null, portal_url: null },
  home: null,
  link: null,
  qr: null,
};

it('a slip as a text holds the code, and the link where there is one', () => {
  expect(slipText(slip)).toBe(
    'Mama WiFi: 1 day, KES 80 paid in cash. Code ABCD-2345. Join the WiFi and type it.',
  );
  const link = 'http://10.5.48.2:8081/voucher?code=ABCD2345';
  expect(slipText({ ...slip, link })).toContain(`Join the WiFi and open ${link}`);
});

it('a code that was used or taken back is not sent', () => {
  expect(slipText({ ...slip, sale: { ...sale, voucher_state: 'redeemed' } })).toBeUndefined();
  expect(slipText({ ...slip, sale: { ...sale, voided_at: 1 } })).toBeUndefined();
});

it('a home’s slip names its user name and no code', () => {
  const home = {
    subscriber_id: 's1',
    name: 'Mwangi',
    msisdn: null,
    username: 'mwangi',
    state: 'active',
    ends_at: 1,
  };
  const text = slipText({ ...slip, home, sale: { ...sale, code: null, voucher_state: null } });
  expect(text).toBe('Mama WiFi: 1 day, KES 80 paid in cash. For mwangi. Asante!');
});

it('a text goes to the number that is known, else to whom is chosen on the phone', () => {
  expect(smsHref('254712345678', 'a b&c')).toBe('sms:+254712345678?&body=a%20b%26c');
  expect(smsHref(null, 'x')).toBe('sms:?&body=x');
});

it.each([
  ['500', 50_000],
  ['1,250.5', 125_050],
  [' 1 000 ', 100_000],
  ['0', 0],
  ['', undefined],
  ['-5', undefined],
  ['1.234', undefined],
  ['five', undefined],
])('“%s” shillings are %s cents', (typed, cents) => {
  expect(parseMoney(typed)).toBe(cents);
});

it('an entry of the ledger reads as a way from account to account', () => {
  const names = new Map([
    ['till', 'Cash in tills'],
    ['safe', 'Cash in the safe'],
    ['differences', 'Cash differences'],
    ['sales', 'Sales'],
  ]);
  const line = (account: string, amount_cents: number) => ({ account, holder: '', amount_cents });
  const sold = { lines: [line('till', 8000), line('sales', -8000)] };
  expect([way(sold, names), movedCents(sold)]).toEqual(['Sales → Cash in tills', 8000]);
  const closed = { lines: [line('safe', 7500), line('differences', 500), line('till', -8000)] };
  expect(way(closed, names)).toBe('Cash in tills → Cash in the safe KES 75, Cash differences KES 5');
  expect(movedCents(closed)).toBe(8000);
});

it.each([
  ['Mwangi, gate 4', 'mwangi-gate-4'],
  ['  José & Ana ', 'jose-ana'],
  ['!!', ''],
])('the home “%s” begins as “%s”', (name, username) => {
  expect(userNameFrom(name)).toBe(username);
});
