// What each page is called in the navigation.
import type { PageName } from './roles.ts';

export const TITLES: Record<PageName, string> = {
  overview: 'Overview',
  sell: 'Sell',
  sessions: 'Sessions',
  subscribers: 'Subscribers',
  payments: 'Payments',
  orders: 'Orders',
  vouchers: 'Vouchers',
  plans: 'Plans',
  routers: 'Routers',
  'sign-ins': 'Sign-in log',
  till: 'Till',
  ledger: 'Ledger',
  outages: 'Outages',
  usage: 'Usage',
  sales: 'Sales',
  settings: 'Settings',
  accounts: 'Accounts',
  audit: 'Audit',
};
