// What may be done about a voucher, by its state and by who asks.
import { expect, it } from 'vitest';
import { voucherAct } from '../../ui/admin/parts/voucher-rows.ts';

const ROLES = ['owner', 'admin', 'cashier', 'reseller', 'support'] as const;

const acts = (state: 'unused' | 'redeemed' | 'cancelled', entitlement_id: string | null) =>
  Object.fromEntries(ROLES.map((role) => [role, voucherAct({ state, entitlement_id }, role)]));

it('whoever sells cancels an unused one, and restores one that nobody had redeemed', () => {
  for (const role of ['owner', 'admin', 'cashier', 'reseller']) {
    expect(acts('unused', null)[role]).toBe('cancel');
    expect(acts('cancelled', null)[role]).toBe('restore');
  }
  expect(acts('unused', null).support).toBe('nothing');
});

it('one that was redeemed is cancelled by managers alone, and nobody restores it', () => {
  expect(acts('redeemed', 'e1')).toEqual({
    ...{ owner: 'withdraw', admin: 'withdraw' },
    ...{ cashier: 'nothing', reseller: 'nothing', support: 'nothing' },
  });
  expect(Object.values(acts('cancelled', 'e1'))).toEqual(Array(5).fill('nothing'));
});
