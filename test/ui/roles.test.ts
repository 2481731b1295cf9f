// A role sees its pages and no others.
import { expect, it } from 'vitest';
import {
  canDisconnect,
  canManage,
  canOpen,
  canSell,
  canTakeCash,
  homePage,
  pagesFor,
} from '../../ui/admin/roles.ts';

it('only the owner sees the accounts', () => {
  expect(pagesFor('owner')).toContain('accounts');
  for (const role of ['admin', 'support', 'cashier', 'reseller'] as const) {
    expect(canOpen(role, 'accounts')).toBe(false);
  }
});

it('a cashier starts at selling and sees no settings, routers or audit', () => {
  expect(homePage('cashier')).toBe('sell');
  for (const page of ['settings', 'routers', 'audit', 'overview', 'plans', 'sales'] as const) {
    expect(canOpen('cashier', page)).toBe(false);
  }
});

it('support looks and disconnects but neither sells nor manages', () => {
  expect(canDisconnect('support')).toBe(true);
  expect(canSell('support')).toBe(false);
  expect(canManage('support')).toBe(false);
  expect(canOpen('support', 'settings')).toBe(false);
  expect(canOpen('support', 'vouchers')).toBe(false);
});

it('cash is taken by who has a till: neither resellers nor support', () => {
  const roles = ['owner', 'admin', 'cashier', 'support', 'reseller'] as const;
  expect(roles.filter(canTakeCash)).toEqual(['owner', 'admin', 'cashier']);
});
