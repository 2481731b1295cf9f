// The guest's pages in every state: what they offer, what they carry, what they refuse to echo.
import { describe, expect, it } from 'vitest';
import {
  buyPage,
  type EntitlementView,
  errorPage,
  homePage,
  type Lang,
  orderMessage,
  orderPage,
  type PageView,
  type PaymentFailure,
  type PlanView,
  paidPage,
  statusPage,
  voucherPage,
} from '../../../../src/servers/http/portal/views/index.ts';

const now = Date.UTC(2026, 10, 21, 12);
const base: PageView = {
  lang: 'en',
  business: { name: 'Mama Njeri WiFi', support_phone: '0712 345 678' },
  context: { link_logout: 'http://10.5.50.1/logout' },
  ctx: 'sealed.value',
  now_at: now,
};
const plan: PlanView = {
  ...{ id: 'p1', name: '1 Hour', price_cents: 2000, validity_seconds: 3600 },
  ...{ quota_octets: null, rate_down_kbps: 5000, max_devices: 1 },
};
const entitlement: EntitlementView = { plan_name: '1 Hour', until_at: now + 43 * 60_000, max_devices: 1 };
const slow: EntitlementView = {
  ...entitlement,
  ...{ quota_octets: 10 ** 9, quota_left_octets: 0, rate_down_kbps: 512, has_fair_use: true, slow: true },
};
const closed: EntitlementView = {
  ...entitlement,
  until_at: now + 3 * 86_400_000,
  closed_until: { hours: '22:00–06:00', opens_at: now + 7 * 3600_000 },
};
const connect = {
  action: 'http://10.5.50.1/login',
  username: 'k7',
  password: 'pw',
  dst: 'http://a.test/',
  auto: true,
};
const order = { id: 'o1', price_cents: 2000, msisdn_masked: '0712•••678', prompt_until_at: now + 60_000 };
const orderView = { ...base, plan, order };

function everyPage(common: PageView): Record<string, string> {
  const shared = { ...orderView, ...common };
  const access = { username: 'k7', password: 'pw', connect };
  return {
    home: homePage({ ...common, plans: [plan] }),
    homeLeft: homePage({ ...common, plans: [plan], entitlement, connect, router_error: 'invalid password' }),
    homeOnline: homePage({ ...common, plans: [plan], entitlement, online: true }),
    homeClosed: homePage({ ...common, plans: [plan], payments_open: false }),
    homeEmpty: homePage({ ...common, plans: [] }),
    buy: buyPage({ ...common, plan }),
    buyError: buyPage({ ...common, plan, msisdn: '07', error: 'invalid_msisdn' }),
    pending: orderPage({ ...shared, state: 'pending' }),
    checking: orderPage({ ...shared, state: 'checking' }),
    failed: orderPage({ ...shared, state: 'failed', failure: 'cancelled' }),
    paid: orderPage({ ...shared, state: 'paid', access }),
    paidLogin: orderPage({ ...shared, state: 'paid', access: { username: 'k7', password: 'pw' } }),
    voucher: voucherPage(common),
    voucherUsed: voucherPage({ ...common, code: 'ABCD2345', error: 'used' }),
    voucherDone: voucherPage({ ...common, access }),
    havePaid: paidPage(common),
    havePaidWrong: paidPage({ ...common, text: 'hello', error: 'no_code' }),
    havePaidChecking: paidPage({ ...common, checking: 'VAF1234XYZ' }),
    havePaidSlow: paidPage({ ...common, access, slow_seconds: 300 }),
    online: statusPage({ ...common, state: 'online', entitlement }),
    offline: statusPage({ ...common, state: 'offline', entitlement, connect }),
    slow: statusPage({ ...common, state: 'online', entitlement: slow }),
    closed: statusPage({ ...common, state: 'offline', entitlement: closed, connect }),
    homeSlow: homePage({ ...common, plans: [plan], entitlement: slow, online: true }),
    homeNight: homePage({ ...common, plans: [plan], entitlement: closed, connect }),
    ended: statusPage({ ...common, state: 'ended', ended_by: 'time' }),
    stopped: statusPage({ ...common, state: 'ended', ended_by: 'stopped' }),
    none: statusPage({ ...common, state: 'none' }),
    error: errorPage({ ...common, kind: 'server_error' }),
  };
}

const pages = Object.entries(everyPage(base));
const inSwahili = Object.entries(everyPage({ ...base, lang: 'sw' }));

describe('every page', () => {
  it.each(pages)('%s has no inline script or style and loads only from this listener', (_, html) => {
    expect(html).not.toMatch(/<style|\sstyle=|\son\w+=|javascript:/i);
    expect([...html.matchAll(/<script[^>]*>/g)].map(([tag]) => tag)).toEqual([
      '<script src="/assets/portal.js" defer>',
    ]);
    const loaded = [...html.matchAll(/<(?:link|img|script)[^>]*(?:href|src)="([^"]*)"/g)].map(
      (hit) => hit[1],
    );
    expect(loaded.filter((address) => !/^\/[^/]/.test(address!))).toEqual([]);
  });

  it.each(pages)('%s has a way on: a link or a button beyond the header', (_, html) => {
    const main = html.slice(html.indexOf('<main'), html.indexOf('</main>'));
    const isLogin = main.includes('class="login"');
    expect(isLogin || /<a class="|<button|<summary/.test(main)).toBe(true);
  });

  it.each(pages)('%s switches to Swahili and keeps the context', (_, html) => {
    const address = /<a class="lang" href="([^"]+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const query = new URL(address, 'http://portal').searchParams;
    expect([query.get('lang'), query.get('ctx')]).toEqual(['sw', 'sealed.value']);
  });

  it.each(pages)('%s carries context and language in each link and form of ours', (_, html) => {
    const links = [...html.matchAll(/<a [^>]*href="(\/[^"]*)"/g)].map((hit) => hit[1]);
    expect(links.filter((link) => !/ctx=sealed\.value/.test(link!) || !/lang=/.test(link!))).toEqual([]);
    for (const [form] of html.matchAll(/<form[^>]*action="\/[\s\S]*?<\/form>/g)) {
      expect(form).toContain('<input type="hidden" name="ctx" value="sealed.value">');
      expect(form).toContain('<input type="hidden" name="lang" value="en">');
    }
  });

  it.each(inSwahili)('%s in Swahili has no hole left and says so to the browser', (_, html) => {
    expect(html).toContain('<html lang="sw">');
    expect(html).not.toMatch(/\{\w+\}|undefined|null|NaN|\[object/);
  });

  it.each(pages)('%s is small', (_, html) => {
    expect(Buffer.byteLength(html)).toBeLessThan(8000);
  });

  it('offers the phone of the business, which costs no data to call', () => {
    for (const [, html] of pages) expect(html).toContain('href="tel:0712345678"');
  });
});

describe('hostile values', () => {
  const evil = `"><img src=x onerror=alert(1)>'&`;
  const view: PageView = { ...base, business: { name: evil, support_phone: evil, logo: evil }, ctx: evil };
  const evilPlan = { ...plan, id: evil, name: evil };
  const evilConnect = { ...connect, username: evil, password: evil };
  const all = [
    ...Object.values(everyPage(view)),
    homePage({ ...view, plans: [evilPlan], router_error: evil }),
    buyPage({ ...view, plan: evilPlan, msisdn: evil }),
    voucherPage({ ...view, code: evil, error: 'unknown' }),
    paidPage({ ...view, text: evil, error: 'no_code' }),
    paidPage({ ...view, checking: evil }),
    orderPage({
      ...view,
      plan: evilPlan,
      order: { ...order, id: evil, msisdn_masked: evil },
      state: 'pending',
    }),
    orderPage({
      ...orderView,
      state: 'paid',
      access: { username: evil, password: evil, connect: evilConnect },
    }),
    orderPage({ ...orderView, state: 'paid', access: { username: evil, password: 'x' } }),
    statusPage({ ...view, state: 'online', entitlement: { ...entitlement, plan_name: evil } }),
  ];

  it('are shown as text, never as markup', () => {
    for (const html of all) {
      expect(html).not.toContain('<img');
      expect(html).not.toContain("'&");
      expect(html).not.toContain('onerror=alert(1)>');
    }
    expect(all[all.length - 1]).toContain('&quot;&gt;&lt;img src=x onerror=alert(1)&gt;&#39;&amp;');
  });

  it('never become an address that runs or leaves: only http and https', () => {
    for (const action of ['javascript:alert(1)', 'data:text/html,x', '//evil.test/login', 'intent://x', '']) {
      const access = { username: 'k7', password: 'pw', connect: { ...connect, action } };
      const html = orderPage({ ...orderView, state: 'paid', access });
      expect(html).not.toContain('<form');
      expect(html).toContain('<dd>k7</dd>');
      const logout = statusPage({ ...base, context: { link_logout: action }, state: 'online', entitlement });
      expect(logout).not.toContain('Disconnect');
    }
    const access = { username: 'k7', password: 'pw', connect: { ...connect, dst: 'javascript:alert(1)' } };
    expect(orderPage({ ...orderView, state: 'paid', access })).not.toContain('name="dst"');
  });

  it('take a logo only from this listener', () => {
    const shown = (logo: string) => errorPage({ ...base, business: { name: 'x', logo }, kind: 'not_found' });
    expect(shown('/logo.png')).toContain('<img src="/logo.png"');
    for (const logo of ['//evil.test/a.png', '/\\evil.test/a.png', 'http://evil.test/a.png']) {
      expect(shown(logo)).not.toContain('<img');
    }
  });
});

describe('home', () => {
  it('sells each plan by one tap', () => {
    const html = homePage({ ...base, plans: [plan, { ...plan, id: 'p2', price_cents: 8000 }] });
    expect(html.match(/href="\/buy\?plan=p\d/g)).toEqual(['href="/buy?plan=p1', 'href="/buy?plan=p2']);
    expect(html).toContain('href="/voucher?');
  });

  it('puts what this phone has left before what is for sale', () => {
    const html = homePage({ ...base, plans: [plan], entitlement, connect: { ...connect, auto: false } });
    expect(html).toContain('You have 43\u00a0min left');
    expect(html.indexOf('action="http://10.5.50.1/login"')).toBeLessThan(html.indexOf('class="plans"'));
    expect(html).not.toContain('data-auto');
  });

  it('sells nothing while no payment can be taken, and points to the voucher', () => {
    const html = homePage({ ...base, plans: [plan], payments_open: false });
    expect(html).not.toContain('href="/buy');
    expect(html).toContain('get a voucher');
    expect(html).toContain('<a class="big" href="/voucher?');
  });

  it('says what the router refused, in the words of the guest', () => {
    const html = homePage({ ...base, plans: [plan], router_error: 'user k7 has reached uptime limit' });
    expect(html).toContain('Your time is used up.');
    expect(html).not.toContain('uptime limit');
  });
});

describe('buy', () => {
  it('asks for a number with the right keyboard and says the price on the button', () => {
    const html = buyPage({ ...base, plan, msisdn: '0712345678' });
    expect(html).toMatch(/<input [^>]*name="msisdn" type="tel" inputmode="tel"[^>]*value="0712345678"/);
    expect(html).toContain('>Pay KES 20</button>');
    expect(html).toContain('<input type="hidden" name="plan" value="p1">');
  });
});

describe('order', () => {
  it('waits by itself, with and without scripts', () => {
    const html = orderPage({ ...orderView, state: 'pending' });
    expect(html).toContain('<noscript><meta http-equiv="refresh" content="3"></noscript>');
    expect(html).toContain('<meta http-equiv="refresh" content="30">');
    expect(html).toContain('<body data-poll="/api/orders/o1" data-state="pending">');
    expect(html).toContain('data-countdown="60"');
  });

  it('offers no payment while the first one is being checked', () => {
    const html = orderPage({ ...orderView, state: 'checking' });
    expect(html).toContain('Do not pay again yet.');
    expect(html).not.toContain('/buy');
    expect(html).toContain('href="/paid?');
  });

  it('pays again by one tap after a failure, or from another number', () => {
    const html = orderPage({ ...orderView, state: 'failed', failure: 'wrong_pin' });
    expect(html).toContain('The M-PESA PIN was wrong.');
    expect(html).toContain('<input type="hidden" name="again" value="o1">');
    expect(html).toContain('href="/paid?');
    expect(html).toContain('href="/buy?plan=p1');
    expect(html).not.toContain('http-equiv="refresh"');
  });

  it('does not offer the same number where it would fail again', () => {
    const html = orderPage({ ...orderView, state: 'failed', failure: 'not_registered' });
    expect(html).not.toContain('name="again"');
    expect(html).toMatch(/<a class="big" href="\/buy\?plan=p1/);
  });

  it('posts to the router by itself only when the server says so', () => {
    const paid = (auto: boolean) =>
      orderPage({
        ...orderView,
        state: 'paid',
        access: { username: 'k7', password: 'pw', connect: { ...connect, auto } },
      });
    expect(paid(true)).toContain('<form method="post" action="http://10.5.50.1/login" data-auto>');
    expect(paid(false)).toContain('<form method="post" action="http://10.5.50.1/login">');
    for (const field of ['username" value="k7"', 'password" value="pw"', 'dst" value="http://a.test/"']) {
      expect(paid(false)).toContain(`name="${field}`);
    }
  });

  it('goes on waiting when it is paid and the credential is not there yet', () => {
    const html = orderPage({ ...orderView, state: 'paid' });
    expect(html).toContain('data-state="checking"');
    expect(html).toContain('http-equiv="refresh"');
  });

  it('shows name and password when there is no router, or one code when they are the same', () => {
    const shown = (username: string, password: string) =>
      orderPage({ ...orderView, state: 'paid', access: { username, password } });
    expect(shown('k7', 'pw')).toMatch(/<dt>Name<\/dt><dd>k7<\/dd>[\s\S]*<dt>Password<\/dt><dd>pw<\/dd>/);
    for (const password of ['', 'ABCD2345']) {
      const html = shown('ABCD2345', password);
      expect(html).toContain('<dt>Code</dt><dd>ABCD2345</dd>');
      expect(html).not.toContain('Password');
    }
  });

  it('has one message for each state and failure, in both languages', () => {
    const failures: PaymentFailure[] = [
      'insufficient_balance',
      'cancelled',
      'unreachable',
      'wrong_pin',
      'unknown',
    ];
    const said = (['en', 'sw'] as Lang[]).flatMap((lang) => [
      ...(['pending', 'checking', 'paid'] as const).map((state) => orderMessage(lang, state)),
      ...failures.map((failure) => orderMessage(lang, 'failed', failure)),
    ]);
    expect(new Set(said).size).toBe(said.length);
    expect(orderMessage('en', 'failed')).toBe(orderMessage('en', 'failed', 'unknown'));
  });
});

describe('voucher', () => {
  it('keeps what was typed and says what is wrong with it', () => {
    const html = voucherPage({ ...base, code: 'abcd-2345', error: 'used' });
    expect(html).toContain('This voucher has already been used.');
    expect(html).toMatch(/<input [^>]*name="code"[^>]*autocapitalize="characters"[^>]*value="abcd-2345"/);
  });
});

describe('status', () => {
  it('shows time, end, data, speed and devices while online', () => {
    const html = statusPage({
      ...base,
      state: 'online',
      entitlement: {
        ...entitlement,
        ...{ quota_octets: 2 ** 30, quota_left_octets: 2 ** 28, rate_down_kbps: 5000, devices_online: 1 },
      },
    });
    for (const said of ['>43\u00a0min<', 'Ends today at 15:43', '256 MB of 1 GB', '5 Mbps', '1 of 1']) {
      expect(html).toContain(said);
    }
    expect(html).toContain('<progress max="100" value="25">');
    expect(html).toContain('href="http://10.5.50.1/logout"');
    expect(html).toContain('data-countdown="2580" data-reload');
  });

  it('offers to connect when offline, and says that paused time waits', () => {
    const html = statusPage({
      ...base,
      state: 'offline',
      connect,
      entitlement: { ...entitlement, online_left_seconds: 600 },
    });
    expect(html).toContain('action="http://10.5.50.1/login"');
    expect(html).toContain('Your time stops while you are not connected.');
    expect(html).toContain('Use it before today at 15:43');
    expect(html).not.toContain('data-countdown');
  });

  it('says that it is slow, since when its data is used, and that a plan makes it fast at once', () => {
    const html = statusPage({ ...base, state: 'online', entitlement: slow });
    expect(html).toContain('Your fast data is used up. Now you have 512 kbps.');
    expect(html).toContain('Buy a plan and you are fast again at once.');
    expect(html).toMatch(/<a class="big"[^>]*>Be fast again</);
    expect(html).toContain('Fast data left');
    const home = homePage({ ...base, plans: [plan], entitlement: slow, online: true });
    expect(home).toContain('you are fast again at once');
    expect(home).not.toContain('0 KB');
    const fast = statusPage({ ...base, state: 'online', entitlement: { ...slow, slow: false } });
    expect(fast).not.toContain('used up');
  });

  it('offers no connection outside the hours of the plan, but says when they come', () => {
    const html = statusPage({ ...base, state: 'offline', entitlement: closed, connect });
    expect(html).toContain('This plan works 22:00–06:00 only.');
    expect(html).toContain('Connect today at 22:00, or buy another plan for now.');
    expect(html).not.toContain('action="http://10.5.50.1/login"');
    expect(homePage({ ...base, plans: [plan], entitlement: closed, connect })).not.toContain('/login"');
    const ends = statusPage({ ...base, state: 'offline', entitlement: { ...closed, until_at: now + 1000 } });
    expect(ends).toContain('It ends before those hours come again.');
  });

  it('shows each quota that a plan has, and what else this phone has', () => {
    const html = statusPage({
      ...base,
      state: 'online',
      entitlement: {
        ...entitlement,
        ...{ download_quota_octets: 10 ** 9, download_left_octets: 4 * 10 ** 8, others: ['1 Day', 'Usiku'] },
      },
    });
    expect(html).toContain('<dt>Download left</dt><dd>400 MB of 1 GB');
    expect(html).toContain('<dt>Also yours</dt><dd>1 Day, Usiku</dd>');
    expect(html).not.toContain('Upload left');
    expect(html).not.toContain('Data left');
  });

  it('says of what was stopped by the operator whom to ask, and not that it is used up', () => {
    const html = statusPage({ ...base, state: 'ended', ended_by: 'stopped' });
    expect(html).toContain('Ask the person who runs this WiFi.');
    expect(html).not.toContain('used up');
  });

  it('says what ran out and sells again', () => {
    expect(statusPage({ ...base, state: 'ended', ended_by: 'quota' })).toContain('Your data is used up');
    expect(statusPage({ ...base, state: 'ended', ended_by: 'time' })).toContain('Your time is used up');
  });

  it('starts counting only when an entitlement has started', () => {
    const waiting = { ...entitlement, until_at: null, validity_seconds: 3600 };
    const html = statusPage({ ...base, state: 'offline', entitlement: waiting, connect });
    expect(html).toContain('1 hour from when you connect');
    const online = statusPage({ ...base, state: 'online', entitlement: waiting });
    expect(online).toContain('1 hour. It starts by itself.');
  });
});
