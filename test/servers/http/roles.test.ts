// Who may call what: every route and every role, written down here a second time on purpose.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Role } from '../../../src/operators/accounts.ts';
import { adminRoutes } from '../../../src/servers/http/admin/api.ts';
import { startApp, type TestApp } from './fixtures.ts';

const ROLES: Role[] = ['owner', 'admin', 'cashier', 'support', 'reseller'];

/** Route → the roles that may, by their first letters; `*` everybody signed in, `-` anybody. */
const ALLOWED: Record<string, string> = {
  'post /payments/cash': 'oac',
  'get /payments/{id}/cash': 'oac',
  'get /payments/{id}/slip': 'oac',
  'post /payments/{id}/void': 'oac',
  'get /till-sessions': 'oac',
  'get /till-sessions/current': 'oac',
  'post /till-sessions': 'oac',
  'get /till-sessions/{id}': 'oac',
  'get /till-sessions/{id}/sales': 'oac',
  'post /till-sessions/{id}/count': 'oac',
  'get /till-sessions/{id}/events': 'oac',
  'post /till-sessions/{id}/moves': 'oac',
  'post /till-sessions/{id}/moves/{event_id}/take-back': 'oac',
  'post /till-sessions/{id}/close': 'oac',
  'get /settings/till': 'oac',
  'put /settings/till': 'oa',
  'get /settings/sms-payments': 'oa',
  'put /settings/sms-payments': 'oa',
  'post /settings/sms-payments/address': 'oa',
  'post /settings/sms-payments/test': 'oa',
  'get /ledger/entries': 'oa',
  'post /ledger/entries': 'o',
  'post /ledger/entries/{id}/take-back': 'o',
  'get /ledger/accounts': 'oa',
  'post /ledger/proof': 'oa',
  'get /auth/setup': '-',
  'post /auth/setup': '-',
  'post /auth/login': '-',
  'post /auth/logout': '*',
  'get /auth/me': '*',
  'post /auth/password': '*',
  'get /plans': '*',
  'post /plans': 'oa',
  'get /plans/{id}': '*',
  'patch /plans/{id}': 'oa',
  'delete /plans/{id}': 'oa',
  'get /voucher-batches': '*',
  'post /voucher-batches': 'oacr',
  'get /voucher-batches/{id}': '*',
  'get /voucher-batches/{id}/vouchers': 'oacr',
  'post /voucher-batches/{id}/cancel': 'oa',
  'get /voucher-batches/{id}/sheet.pdf': 'oacr',
  'get /voucher-batches/{id}/codes.csv': 'oacr',
  'get /vouchers': 'oacr',
  'get /vouchers/{id}': 'oacr',
  'post /vouchers/{id}/cancel': 'oacr',
  'post /vouchers/{id}/restore': 'oacr',
  'get /subscribers': 'oacs',
  'post /subscribers': 'oas',
  'get /subscribers/{id}': 'oacs',
  'patch /subscribers/{id}': 'oas',
  'get /subscribers/{id}/entitlements': 'oacs',
  'get /subscribers/{id}/sessions': 'oacs',
  'get /subscribers/{id}/payments': 'oacs',
  'get /subscribers/{id}/credentials': 'oacs',
  'get /credentials': 'oacs',
  'post /credentials': 'oa',
  'get /credentials/{id}': 'oacs',
  'patch /credentials/{id}': 'oa',
  'delete /credentials/{id}': 'oa',
  'get /entitlements': 'oacs',
  'get /entitlements/{id}': 'oacs',
  'post /entitlements': 'oa',
  'post /entitlements/{id}/revoke': 'oa',
  'get /sessions': 'oacs',
  'get /sessions/{id}': 'oacs',
  'post /sessions/{id}/disconnect': 'oas',
  'get /orders': 'oacs',
  'get /orders/{id}': 'oacs',
  'post /orders/{id}/query': 'oacs',
  'get /payments': 'oacs',
  'get /payments/{id}': 'oacs',
  'post /payments/{id}/attach': 'oac',
  'post /payments/{id}/reverse': 'oa',
  'post /payments/{id}/reversal': 'oa',
  'post /payments/statement': 'oa',
  'get /statements': 'oa',
  'get /statements/{id}': 'oa',
  'get /evidence': 'oacs',
  'get /messages': 'oacs',
  'get /routers': '*',
  'get /routers/unknown': 'oas',
  'post /routers/test': 'oa',
  'post /routers': 'oa',
  'get /routers/{id}': '*',
  'patch /routers/{id}': 'oa',
  'delete /routers/{id}': 'oa',
  'delete /routers/{id}/lockouts/{device}': 'oas',
  'post /routers/{id}/test': 'oas',
  'get /routers/{id}/script': 'oa',
  'get /settings': 'oa',
  'put /settings/business': 'oa',
  'put /settings/accounting': 'oa',
  'put /settings/payment-policy': 'oa',
  'put /settings/mpesa': 'oa',
  'post /settings/mpesa/test': 'oa',
  'get /accounts': 'o',
  'post /accounts': 'o',
  'get /accounts/{id}': 'o',
  'patch /accounts/{id}': 'o',
  'get /outages': 'oas',
  'get /outages/{id}': 'oas',
  'get /outages/{id}/extensions': 'oas',
  'get /entitlements/{id}/extensions': 'oacs',
  'post /outages/{id}/approve': 'oa',
  'post /outages/{id}/dismiss': 'oa',
  'put /settings/outages': 'oa',
  'get /tunnel': 'oa',
  'get /go-live': 'oa',
  'post /go-live/keys': 'oa',
  'post /go-live/push': 'oa',
  'post /go-live/callback': 'oa',
  'post /go-live/c2b': 'oa',
  'post /go-live/pull': 'oa',
  'put /go-live/initiator': 'oa',
  'post /go-live/initiator/test': 'oa',
  'put /tunnel': 'oa',
  'put /tunnel/sources': 'oa',
  'post /tunnel/test': 'oa',
  'get /clock': '*',
  'post /clock/confirm': 'oa',
  'get /audit': 'oa',
  'get /reports/overview': 'oacs',
  'get /reports/usage': 'oas',
  'get /reports/usage.csv': 'oas',
  'get /reports/sales': 'oas',
  'get /reports/sales.csv': 'oas',
  'get /reports/access-log': 'oas',
  'get /events': 'oacs',
};

let app: TestApp;
const calls = new Map<Role, Awaited<ReturnType<TestApp['signedInAs']>>['call']>();
beforeAll(async () => {
  app = await startApp();
  for (const role of ROLES) calls.set(role, (await app.signedInAs(role)).call);
});
afterAll(() => app.close());

describe('the admin API', () => {
  it('has exactly the routes of this table', () => {
    const routes = adminRoutes().map((route) => `${route.method} ${route.path}`);
    expect(routes.toSorted()).toEqual(Object.keys(ALLOWED).toSorted());
  });

  // `/auth/logout` would sign the caller out, and the stream of events does not end.
  const tried = Object.entries(ALLOWED).filter(([name]) => !/ \/(auth\/logout|events)$/.test(name));
  it.each(tried)('%s is for %s', async (name, allowed) => {
    const [method = '', path = ''] = name.split(' ');
    // An id that is nobody's and a body that fits nowhere: whoever may gets past the role check and no further.
    const address = path.replace('{id}', '00000000000000000000000000');
    const body = method === 'get' ? undefined : { nothing: 'useful' };
    const outside = await app.caller(undefined)(method.toUpperCase(), address, body);
    expect(outside.status === 401).toBe(allowed !== '-' && name !== 'post /auth/login');
    for (const role of ROLES) {
      const answer = await calls.get(role)?.(method.toUpperCase(), address, body);
      const may = allowed === '-' || allowed === '*' || allowed.includes(role[0] as string);
      expect(answer?.status === 403, `${role}: ${answer?.status} ${answer?.text}`).toBe(!may);
      if (name !== 'post /auth/login') expect(answer?.status).not.toBe(401);
      expect(answer?.status).not.toBe(500);
    }
  });

  it('shows its events to whom the overview is shown, and to nobody else', async () => {
    const { token } = await app.signedInAs('reseller');
    expect((await app.caller(token)('GET', '/events')).status).toBe(403);
    const owner = await app.signedInAs('owner');
    const stream = await app.doors.admin.request(
      '/api/v1/events',
      { headers: { authorization: `Bearer ${owner.token}` } },
      { address: '127.0.0.1' },
    );
    expect(stream.headers.get('content-type')).toBe('text/event-stream');
    const reader = stream.body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe(': hello\n\n');
    await reader?.cancel();
  });
});
