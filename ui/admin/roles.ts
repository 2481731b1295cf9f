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
  | 'till'
  | 'ledger'
  | 'outages'
  | 'usage'
  | 'sales'
  | 'settings'
  | 'accounts'
  | 'audit';

const COUNTER: PageName[] = ['sell', 'till', 'vouchers', 'sessions', 'subscribers', 'orders', 'payments'];
/** Support sees no codes: whoever reads a code can use it. */
const NOT_FOR_SUPPORT: PageName[] = ['sell', 'till', 'ledger', 'vouchers', 'settings', 'accounts', 'audit'];
const ALL: PageName[] = [
  'overview',
  'sell',
  'till',
  'sessions',
  'subscribers',
  'payments',
  'orders',
  'vouchers',
  'plans',
  'sales',
  'ledger',
  'routers',
  'sign-ins',
  'outages',
  'usage',
  'settings',
  'accounts',
  'audit',
];

const PAGES: Record<Role, PageName[]> = {
  owner: ALL,
  admin: ALL.filter((page) => page !== 'accounts'),
  support: ALL.filter((page) => !NOT_FOR_SUPPORT.includes(page)),
  cashier: COUNTER,
  reseller: ['sell', 'vouchers'],
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

/** Selling into a till: a reseller's money is their own business. */
export function canTakeCash(role: Role): boolean {
  return canManage(role) || role === 'cashier';
}

/** Saying whom an unmatched payment is for. */
export function canAttach(role: Role): boolean {
  return canManage(role) || role === 'cashier';
}

/** Disconnecting a session, suspending a subscriber. */
export function canDisconnect(role: Role): boolean {
  return canManage(role) || role === 'support';
}

/** A reseller sees their codes, not what happens on the network. */
export function hearsLive(role: Role): boolean {
  return role !== 'reseller';
}
