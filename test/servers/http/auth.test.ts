// Signing in: who gets a login, what carries it, what cannot be done with it.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LOGIN_LIFETIME_MS } from '../../../src/operators/logins.ts';
import { PASSWORD, startApp, type TestApp } from './fixtures.ts';

let app: TestApp;
beforeEach(async () => {
  app = await startApp();
});
afterEach(() => app.close());

const OWNER = { email: 'Owner@Example.com', name: 'Owner', password: PASSWORD, business_name: 'Mama WiFi' };
const JSON_TYPE = { 'content-type': 'application/json' };

function cookieOf(headers: Headers): string {
  return (headers.get('set-cookie') ?? '').split(';')[0] as string;
}

describe('the first account', () => {
  it('is made once, is an owner, and is signed in', async () => {
    const call = app.caller(undefined);
    expect((await call('GET', '/auth/setup')).json).toEqual({ needed: true });
    const made = await call('POST', '/auth/setup', OWNER);
    expect(made.status).toBe(201);
    expect(made.json.account).toMatchObject({ email: 'owner@example.com', role: 'owner' });
    expect((await call('GET', '/auth/setup')).json).toEqual({ needed: false });
    const again = await call('POST', '/auth/setup', { ...OWNER, email: 'thief@example.com' });
    expect(again).toMatchObject({ status: 409, json: { code: 'conflict' } });
    const me = await app.caller(made.json.token)('GET', '/auth/me');
    expect(me.json).toMatchObject({ business_name: 'Mama WiFi', clock: { trusted: true } });
  });

  it('is one, also when two set up at once', async () => {
    const call = app.caller(undefined);
    const both = await Promise.all(
      ['a', 'b'].map((n) => call('POST', '/auth/setup', { ...OWNER, email: `${n}@x.co` })),
    );
    expect(both.map((one) => one.status).sort()).toEqual([201, 409]);
  });

  it('is not made by a page of another site', async () => {
    const foreign = await app.caller(undefined)('POST', '/auth/setup', OWNER, {
      origin: 'http://evil.example',
      host: 'box.lan',
    });
    expect(foreign.status).toBe(403);
    expect((await app.caller(undefined)('GET', '/auth/setup')).json).toEqual({ needed: true });
  });

  it('needs a password worth the name and a real address', async () => {
    for (const change of [{ password: 'short' }, { email: 'nobody' }, { name: ' ' }]) {
      const answer = await app.caller(undefined)('POST', '/auth/setup', { ...OWNER, ...change });
      expect(answer).toMatchObject({ status: 400, json: { code: 'invalid' } });
      expect(Object.keys(answer.json.fields)).toEqual(Object.keys(change));
    }
  });
});

describe('a login', () => {
  const login = (email: string, password: string, address?: string) =>
    app.at(
      'admin',
      '/api/v1/auth/login',
      { method: 'POST', headers: JSON_TYPE, body: JSON.stringify({ email, password }) },
      address,
    );

  it('answers a token and sets a cookie that scripts and other sites do not get', async () => {
    const { account } = await app.signedInAs('owner');
    const answer = await login(` ${account.email.toUpperCase()} `, PASSWORD);
    expect(answer.status).toBe(200);
    const cookie = answer.headers.get('set-cookie') as string;
    expect(cookie).toMatch(/^karibu_login=[\w-]{22};/);
    expect(cookie).toMatch(/; HttpOnly/);
    expect(cookie).toMatch(/; SameSite=Strict/);
    expect(cookie).toMatch(/; Path=\//);
    expect(cookie).toMatch(/; Max-Age=2592000/);
    expect(cookie).not.toMatch(/Secure/);
    expect((await app.caller(answer.json.token)('GET', '/auth/me')).json.account).toEqual(
      answer.json.account,
    );
    const stored = await app.db.selectFrom('logins').selectAll().execute();
    expect(JSON.stringify(stored)).not.toContain(answer.json.token);
  });

  it('is marked secure over https', async () => {
    const { account } = await app.signedInAs('owner');
    const body = JSON.stringify({ email: account.email, password: PASSWORD });
    const answer = await app.at('admin', 'https://box/api/v1/auth/login', {
      method: 'POST',
      headers: JSON_TYPE,
      body,
    });
    expect(answer.headers.get('set-cookie')).toMatch(/; Secure/);
  });

  it('says the same of a wrong password and of an unknown address', async () => {
    const { account } = await app.signedInAs('owner');
    const wrong = await login(account.email, 'wrong password');
    const unknown = await login('nobody@example.com', 'wrong password');
    expect([wrong.status, wrong.json]).toEqual([401, unknown.json]);
    expect(wrong.headers.get('set-cookie')).toBeNull();
  });

  it('is refused after ten wrong passwords, for the address and for the account, until the quarter hour is over', async () => {
    const { account } = await app.signedInAs('owner');
    for (let i = 0; i < 10; i++) {
      // From another place and with another spelling each time: the account counts.
      expect((await login(`${' '.repeat(i)}${account.email}`, 'wrong', `10.0.0.${i}`)).status).toBe(401);
    }
    expect((await login(account.email, PASSWORD, '10.0.1.1')).json).toMatchObject({
      code: 'rate_limited',
      status: 429,
    });
    for (let i = 0; i < 10; i++)
      expect((await login(`x${i}@example.com`, 'wrong', '10.9.9.9')).status).toBe(401);
    expect((await login('y@example.com', 'wrong', '10.9.9.9')).status).toBe(429);
    expect((await login('y@example.com', 'wrong', '10.9.9.8')).status).toBe(401);
    app.time.now += 900_000;
    expect((await login(account.email, PASSWORD)).status).toBe(200);
  });

  it('ends with sign-out, with a new password, and when the account is disabled', async () => {
    const owner = await app.signedInAs('owner');
    const cashier = await app.signedInAs('cashier');
    const out = await login(cashier.account.email, PASSWORD);
    const call = app.caller(out.json.token);
    expect((await call('POST', '/auth/logout', {})).status).toBe(200);
    expect((await call('GET', '/auth/me')).status).toBe(401);

    const wrong = { current_password: 'wrong', password: 'another good one' };
    expect((await cashier.call('POST', '/auth/password', wrong)).json.fields).toHaveProperty(
      'current_password',
    );
    const changed = await cashier.call('POST', '/auth/password', { ...wrong, current_password: PASSWORD });
    expect(changed.status).toBe(200);
    expect((await cashier.call('GET', '/auth/me')).status).toBe(401);
    expect((await app.caller(changed.json.token)('GET', '/auth/me')).status).toBe(200);
    expect((await login(cashier.account.email, PASSWORD)).status).toBe(401);

    await owner.call('PATCH', `/accounts/${cashier.account.id}`, { state: 'disabled' });
    expect((await app.caller(changed.json.token)('GET', '/auth/me')).status).toBe(401);
    expect((await login(cashier.account.email, 'another good one')).status).toBe(401);
  });

  it('is over after its time', async () => {
    const { call } = await app.signedInAs('owner');
    app.time.now += LOGIN_LIFETIME_MS - 1;
    expect((await call('GET', '/auth/me')).status).toBe(200);
    app.time.now += 1;
    expect((await call('GET', '/auth/me')).status).toBe(401);
  });

  it('is wanted everywhere but at the door', async () => {
    for (const token of [undefined, 'wrong', '']) {
      expect(await app.caller(token)('GET', '/plans')).toMatchObject({
        status: 401,
        json: { code: 'unauthorized' },
      });
    }
    const basic = await app.at('admin', '/api/v1/plans', {
      headers: { authorization: 'Basic b3duZXI6eA==' },
    });
    expect(basic.status).toBe(401);
  });
});

describe('a cookie', () => {
  const PLAN = JSON.stringify({ name: 'x', price_cents: 100, validity_seconds: 60 });
  async function withCookie(headers: Record<string, string>, body = PLAN) {
    const { account } = await app.signedInAs('owner');
    const login = await app.at('admin', '/api/v1/auth/login', {
      method: 'POST',
      headers: JSON_TYPE,
      body: JSON.stringify({ email: account.email, password: PASSWORD }),
    });
    const cookie = cookieOf(login.headers);
    return app.at('admin', '/api/v1/plans', {
      method: 'POST',
      headers: { cookie, host: 'box.lan', ...headers },
      body,
    });
  }

  it('serves our own pages', async () => {
    expect((await withCookie({ ...JSON_TYPE, origin: 'http://box.lan' })).status).toBe(201);
    expect((await withCookie({ 'content-type': 'application/json; charset=utf-8' })).status).toBe(201);
  });

  it('does not serve pages of other sites', async () => {
    for (const origin of [
      'http://evil.example',
      'http://box.lan.evil.example',
      'http://box.lan:81',
      'rubbish',
    ]) {
      expect((await withCookie({ ...JSON_TYPE, origin })).status).toBe(403);
    }
  });

  it('does not serve what a form can send', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      expect((await withCookie({ 'content-type': type })).status).toBe(400);
    }
    expect(await app.db.selectFrom('plans').selectAll().execute()).toEqual([]);
  });

  it('that was made up opens nothing', async () => {
    const answer = await app.at('admin', '/api/v1/plans', {
      headers: { cookie: 'karibu_login=AAAAAAAAAAAAAAAAAAAAAA' },
    });
    expect(answer.status).toBe(401);
  });
});
