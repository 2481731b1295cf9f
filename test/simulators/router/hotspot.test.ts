// What a phone meets at the simulated hotspot, from the first redirect to the logout.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { attribute, getInteger, getOctets } from '../../../src/protocols/radius/attributes.ts';
import { passwordMethod } from '../../../src/protocols/radius/passwords.ts';
import { hotspotNetwork, renderTemplate } from '../../../src/protocols/routeros/script.ts';
import { octalEscape, renderServletPage } from '../../../src/simulators/router/servlet.ts';
import { builtText } from '../../protocols/routeros/literals.ts';
import { type Bench, type BenchOptions, startBench } from './bench.ts';

const mac = '40:D3:AE:04:32:0C';
let bench: Bench | undefined;

afterEach(async () => {
  await bench?.stop();
  bench = undefined;
});

async function start(options: BenchOptions = {}): Promise<{ bench: Bench; url: string; browse: Browser }> {
  bench = await startBench(options);
  bench.subscribers.set('V7K2P', { password: 'secret', accept: [attribute('Session-Timeout', 60)] });
  const phone = bench.router.addPhone({ mac, ip: '10.5.50.7' });
  bench.router.addPhone({ mac: '02:00:00:00:00:01' });
  return { bench, url: phone.url, browse: createBrowser() };
}

type Browser = (
  url: string,
  form?: Record<string, string>,
) => Promise<{ status: number; location: string; body: string }>;

/** Keeps cookies, follows nothing. */
function createBrowser(): Browser {
  let cookie = '';
  return async (url, form) => {
    const response = await fetch(url, {
      redirect: 'manual',
      headers: cookie === '' ? {} : { cookie },
      ...(form ? { method: 'POST', body: new URLSearchParams(form) } : {}),
    });
    const set = response.headers.get('set-cookie');
    if (set) cookie = set.split(';')[0]!;
    return {
      status: response.status,
      location: response.headers.get('location') ?? '',
      body: await response.text(),
    };
  };
}

interface Form {
  action: URL;
  fields: Record<string, string>;
}

/** The form of a login page as a browser reads it. */
function formOf(body: string): Form {
  const plainText = (text: string) => text.replaceAll('&amp;', '&');
  const action = /<form method="post" action="([^"]*)"/.exec(body)?.[1];
  if (action === undefined) throw new Error(`no form in ${body}`);
  const fields: Record<string, string> = {};
  for (const [, name, value] of body.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
    fields[name!] = plainText(value!);
  }
  return { action: new URL(plainText(action)), fields };
}

/** What the portal makes of chap-id and chap-challenge: octets again, hashed with the password. */
function chapAnswer(form: Form, password: string): string {
  const octets = (text: string) =>
    Buffer.from([...text.matchAll(/\\([0-7]{3})/g)].map((match) => Number.parseInt(match[1]!, 8)));
  return createHash('md5')
    .update(octets(form.fields['chap-id']!))
    .update(password)
    .update(octets(form.fields['chap-challenge']!))
    .digest('hex');
}

async function openLogin(browse: Browser, url: string): Promise<Form> {
  const first = await browse(url);
  expect(first.status).toBe(302);
  return formOf((await browse(first.location)).body);
}

describe('a phone that is not logged in', () => {
  test('is led to the portal with everything the portal needs', async () => {
    const { bench, url, browse } = await start({ identity: 'My "site"' });
    const form = await openLogin(browse, `${url}&dst=${encodeURIComponent('http://example.com/?a=1&b=2')}`);
    const origin = bench.router.addresses.hotspot;
    expect(form.action.origin + form.action.pathname).toBe('http://portal.test/login');
    expect(Object.fromEntries(form.action.searchParams)).toEqual({
      mac,
      ip: '10.5.50.7',
      identity: 'My "site"',
      router: 'rt_1',
      'link-login-only': `${origin}/login`,
      'link-orig': 'http://example.com/?a=1&b=2',
      error: '',
    });
    expect(form.fields).toMatchObject({
      mac,
      ip: '10.5.50.7',
      'link-login-only': `${origin}/login`,
      'link-logout': `${origin}/logout`,
    });
    expect(form.fields['chap-id']).toMatch(/^\\[0-3][0-7]{2}$/);
    expect(form.fields['chap-challenge']).toMatch(/^(\\[0-3][0-7]{2}){16}$/);
  });

  test('gets the redirect for every page of the internet', async () => {
    const { bench } = await start();
    bench.router.removePhone('02:00:00:00:00:01');
    const { hostname, port } = new URL(bench.router.addresses.hotspot);
    const location = await new Promise<string>((resolve, reject) => {
      httpRequest(
        { hostname, port, path: '/generate_204', headers: { host: 'connectivitycheck.example' } },
        (response) => {
          response.resume();
          resolve(response.headers.location ?? '');
        },
      )
        .on('error', reject)
        .end();
    });
    const redirect = new URL(location);
    expect(redirect.origin + redirect.pathname).toBe(`${bench.router.addresses.hotspot}/login`);
    expect(redirect.searchParams.get('dst')).toBe('http://connectivitycheck.example/generate_204');
  });

  test('that is not on this WiFi meets nothing', async () => {
    const { bench } = await start();
    const response = await fetch(`${bench.router.addresses.hotspot}/?phone=02:00:00:00:00:99`);
    expect(response.status).toBe(404);
  });

  test('sees in its captive-portal API that it is captive', async () => {
    const { bench, browse } = await start();
    const { body } = await browse(`${bench.router.addresses.hotspot}/api?phone=${mac}`);
    expect(JSON.parse(body)).toMatchObject({ captive: true });
  });
});

describe('logging in', () => {
  test("by the portal's CHAP answer goes to RADIUS unseen and ends at dst", async () => {
    const { bench, url, browse } = await start();
    const form = await openLogin(browse, url);
    const answer = await browse(form.fields['link-login-only']!, {
      username: 'V7K2P',
      password: chapAnswer(form, 'secret'),
      dst: 'http://portal.test/welcome',
    });
    expect(answer).toMatchObject({ status: 302, location: 'http://portal.test/welcome' });
    expect(passwordMethod(bench.access[0]!)).toBe('chap');
    expect(getOctets(bench.access[0]!, 'CHAP-Challenge')).toHaveLength(16);
    expect(bench.router.sessions()).toMatchObject([{ user: 'V7K2P', phone: { mac } }]);
  });

  test('by a plain password in a link shows the way to the portal when there is no dst', async () => {
    const { bench, url, browse } = await start();
    await openLogin(browse, url);
    const login = `${bench.router.addresses.hotspot}/login?username=V7K2P&password=secret`;
    const answer = await browse(login);
    expect(answer.status).toBe(200);
    expect(answer.body).toContain(
      '0;url=http://portal.test/status?mac=40%3AD3%3AAE%3A04%3A32%3A0C&amp;ip=10.5.50.7',
    );
    expect(passwordMethod(bench.access[0]!)).toBe('pap');
  });

  test('goes nowhere but to http and https', async () => {
    const { bench, url, browse } = await start();
    await openLogin(browse, url);
    const form = { username: 'V7K2P', password: 'secret', dst: 'javascript:alert(1)' };
    const answer = await browse(`${bench.router.addresses.hotspot}/login`, form);
    expect(answer).toMatchObject({ status: 200, location: '' });
    expect(answer.body).not.toContain('javascript:alert');
  });

  test('that RADIUS rejects leads back to the portal with the reason', async () => {
    const { url, browse } = await start();
    const form = await openLogin(browse, url);
    const answer = await browse(form.fields['link-login-only']!, {
      username: 'V7K2P',
      password: chapAnswer(form, 'wrong'),
    });
    const again = formOf(answer.body);
    expect(again.action.searchParams.get('error')).toBe('Wrong password');
    expect(again.fields['chap-challenge']).not.toBe(form.fields['chap-challenge']);
  });

  test('with an answer to an older challenge fails', async () => {
    const { bench, url, browse } = await start();
    const form = await openLogin(browse, url);
    await openLogin(browse, url);
    const answer = await browse(form.fields['link-login-only']!, {
      username: 'V7K2P',
      password: chapAnswer(form, 'secret'),
    });
    expect(formOf(answer.body).action.searchParams.get('error')).toBe('Wrong password');
    expect(bench.router.sessions()).toEqual([]);
  });

  test('without CHAP where only CHAP is taken never asks RADIUS', async () => {
    const { bench, url, browse } = await start({ loginBy: ['http-chap'] });
    const form = await openLogin(browse, url);
    const answer = await browse(form.fields['link-login-only']!, { username: 'V7K2P', password: 'secret' });
    expect(formOf(answer.body).action.searchParams.get('error')).toContain('challenge response');
    expect(bench.access).toEqual([]);
  });

  test('of a phone named in its links needs no cookie', async () => {
    const { bench, url } = await start({ phoneInLinks: true });
    const form = await openLogin(createBrowser(), url);
    const elsewhere = createBrowser();
    await elsewhere(form.fields['link-login-only']!, {
      username: 'V7K2P',
      password: chapAnswer(form, 'secret'),
    });
    expect(bench.router.sessions()).toMatchObject([{ phone: { mac } }]);
  });
});

describe('a phone that is logged in', () => {
  test('reaches the internet, sees its status, and logs out with cause 1', async () => {
    const { bench, url, browse } = await start();
    await browse(url);
    const { hotspot } = bench.router.addresses;
    await bench.router.login(mac, 'V7K2P', 'secret');
    expect((await browse(`${hotspot}/status`)).body).toContain('http://portal.test/status?');
    expect(JSON.parse((await browse(`${hotspot}/api`)).body)).toMatchObject({ captive: false });
    expect((await browse(`${hotspot}/logout`)).status).toBe(200);
    expect(bench.router.sessions()).toEqual([]);
    await bench.router.idle();
    expect(getInteger(bench.accounting.at(-1)!, 'Acct-Terminate-Cause')).toBe(1);
    expect((await browse(`${hotspot}/status`)).status).toBe(302);
  });
});

test("the pages of the script lead to the portal with the same fields as the simulator's own", async () => {
  const template = readFileSync(join(import.meta.dirname, '../../../rsc-templates/hotspot.rsc'), 'utf8');
  const script = renderTemplate(template, {
    appliance_address: '10.77.0.1',
    auth_port: 1812,
    acct_port: 1813,
    coa_port: 3799,
    api_port: 8728,
    radius_secret: 's',
    api_user: 'u',
    api_password: 'p',
    interface: 'bridge',
    ...hotspotNetwork('10.5.48.0/22'),
    portal_host: 'portal.test',
    portal_login_url: 'http://portal.test/login',
    portal_status_url: 'http://portal.test/status',
    router: 'rt_1',
  });
  const pages = {
    login: builtText(script, 'login'),
    redirect: builtText(script, 'redirect'),
    alogin: builtText(script, 'online'),
    status: builtText(script, 'online'),
    logout: builtText(script, 'online'),
  };
  const own = await start();
  const ownForm = await openLogin(own.browse, own.url);
  await bench?.stop();
  const real = await start({ pages });
  const form = await openLogin(real.browse, real.url);
  const shape = ({ action, fields }: Form) => [
    action.origin + action.pathname,
    [...action.searchParams.keys()],
    Object.keys(fields),
  ];
  expect(shape(form)).toEqual(shape(ownForm));
  await real.browse(form.fields['link-login-only']!, {
    username: 'V7K2P',
    password: chapAnswer(form, 'secret'),
  });
  expect(real.bench.router.sessions()).toHaveLength(1);
  const { body } = await real.browse(`${real.bench.router.addresses.hotspot}/status`);
  expect(body).toContain('content="0;url=http://portal.test/status?mac=40%3AD3');
});

describe('the page language', () => {
  test("escapes octets as the manual's sample shows them", () => {
    expect(octalEscape([0o371])).toBe('\\371');
    expect(octalEscape([0o357, 0o15, 0, 0o330])).toBe('\\357\\015\\000\\330');
  });

  test.each([
    ['$(a)-$(a-esc)-$(none)', 'x y-x%20y-'],
    ['$(if a)1$(else)2$(endif)', '1'],
    ['$(if none)1$(else)2$(endif)', '2'],
    ["$(if yes == 'yes')1$(elif a)2$(else)3$(endif)!", '1!'],
    ['$(if yes == no)1$(elif a)2$(else)3$(endif)!', '2!'],
    ['$(if none)1$(elif none)2$(else)$(if a)3$(endif)$(endif)!', '3!'],
    ['$(if none)$(if a)1$(else)2$(endif)$(endif)!', '!'],
  ])('%s', (page, body) => {
    expect(renderServletPage(page, { a: 'x y', yes: 'yes' }).body).toBe(body);
  });

  test('sets status and headers', () => {
    const page = '$(if http-status == 302)moved$(endif)$(if http-header == "Location")$(to)$(endif)body';
    expect(renderServletPage(page, { to: 'http://x/' })).toEqual({
      status: 302,
      headers: { Location: 'http://x/' },
      body: 'body',
    });
  });
});
