// Which pages and acts a role sees; the server decides again on every request.
import type { Role } from './types.ts';

export type PageName =
  | 'overview'
  | 'sell'
  | 'plans'
  | 'vouchers'
  | 'sessions'
  | 'subscribers'
  | 'payments'
  | 'orders'
  | 'routers'
  | 'sign-ins'
  | 'settings'
  | 'accounts'
  | 'audit';

const SELLING: PageName[] = ['sell', 'vouchers', 'sessions', 'subscribers', 'orders', 'payments'];
const ALL: PageName[] = [
  'overview',
  'sell',
  'sessions',
  'subscribers',
  'payments',
  'orders',
  'vouchers',
  'plans',
  'routers',
  'sign-ins',
  'settings',
  'accounts',
  'audit',
];

const PAGES: Record<Role, PageName[]> = {
  owner: ALL,
  admin: ALL.filter((page) => page !== 'accounts'),
  support: ALL.filter((page) => page !== 'settings' && page !== 'accounts' && page !== 'sell'),
  cashier: SELLING,
  reseller: SELLING,
};

/** The pages a role can open, in the order of the navigation. */
export function pagesFor(role: Role): PageName[] {
  return PAGES[role];
}

export function canOpen(role: Role, page: PageName): boolean {
  return PAGES[role].includes(page);
}

/** The first page after signing in. */
export function homePage(role: Role): PageName {
  return PAGES[role][0]!;
}

export function canManage(role: Role): boolean {
  return role === 'owner' || role === 'admin';
}

export function canSell(role: Role): boolean {
  return canManage(role) || role === 'cashier' || role === 'reseller';
}

export function canDisconnect(role: Role): boolean {
  return canManage(role) || role === 'support';
}
