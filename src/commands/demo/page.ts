// The demo's own page: its files, its state, its few buttons.
import { type Context, Hono } from 'hono';
import { getCookie, setCookie } from 'hono/cookie';
import type { HttpEnv } from '../../servers/http/context.ts';
import { pageHtml } from './page-html.ts';
import { PAGE_SCRIPT } from './page-script.ts';
import { PAGE_STYLE } from './page-style.ts';
import type { TapeLine } from './tape.ts';
import type { VisitorPhone, VisitorPhones } from './visitor.ts';

export interface DemoState {
  now_at: number;
  ahead_ms: number;
  phone: VisitorPhone;
  phones: VisitorPhone[];
  /** M-PESA asks for a PIN just now. */
  prompt: boolean;
  /** The session of the phone in hand, as the router counts it. */
  session: {
    username: string;
    seconds: number;
    upload_octets: number;
    download_octets: number;
    plan_name: string | null;
    ends_at: number | null;
    session_id: string | null;
  } | null;
  /** A code that nobody has used yet. */
  voucher: string | null;
  online_now: number;
  sales_today_cents: number;
  tape: TapeLine[];
}

export interface DemoControls {
  urls: { demo: string; admin: string; portal: string; mpesa: string; hotspot: string };
  account: { email: string; password: string };
  state(): Promise<DemoState>;
  take: VisitorPhones['take'];
  powerCut(): Promise<void>;
  passHour(): Promise<void>;
}

export interface DemoPage {
  app: Hono<{ Bindings: HttpEnv }>;
  /** Lets visitors in, once everything behind the page runs. */
  open(controls: DemoControls): void;
}

function policy({ urls }: DemoControls): string {
  return [
    "default-src 'none'",
    "style-src 'self'",
    "script-src 'self'",
    "connect-src 'self'",
    'img-src data:',
    `frame-src ${urls.hotspot} ${urls.portal} ${urls.mpesa}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
}

function file(c: Context, text: string, type: string): Response {
  return c.body(text, 200, { 'content-type': type, 'cache-control': 'no-store' });
}

export function createDemoPage(): DemoPage {
  let controls: DemoControls | undefined;
  const app = new Hono<{ Bindings: HttpEnv }>();

  app.get('/healthz', (c) => c.json({ ok: controls !== undefined }));

  app.use(async (c, next) => {
    if (!controls) return c.text('The demo is starting. Reload in a moment.', 503, { refresh: '1' });
    const own = new URL(controls.urls.demo);
    // By any other name (localhost) the frames would be another site and lose their cookies; and no other
    // site's name may stand for this page.
    if (c.req.header('host') !== own.host) return c.redirect(`${own.origin}/`);
    if (c.req.method !== 'GET' && c.req.header('origin') !== own.origin) {
      return c.json({ error: 'Only the demo’s own page may do this.' }, 403);
    }
    c.header('content-security-policy', policy(controls));
    c.header('x-content-type-options', 'nosniff');
    c.header('referrer-policy', 'no-referrer');
    await next();
  });

  const running = () => controls as DemoControls;

  app.get('/', async (c) =>
    file(c, pageHtml(running(), await running().state()), 'text/html; charset=utf-8'),
  );
  app.get('/demo.css', (c) => file(c, PAGE_STYLE, 'text/css; charset=utf-8'));
  app.get('/demo.js', (c) => file(c, PAGE_SCRIPT, 'text/javascript; charset=utf-8'));
  app.get('/state', async (c) => c.json(await running().state(), 200, { 'cache-control': 'no-store' }));

  app.post('/phones/:number', (c) => {
    const { phone, cookies } = running().take(Number(c.req.param('number')), getCookie(c));
    for (const [name, value] of Object.entries(cookies)) {
      setCookie(c, name, value ?? '', {
        path: '/',
        sameSite: 'Lax',
        httpOnly: true,
        maxAge: value === null ? 0 : 31_536_000,
      });
    }
    return c.json(phone);
  });
  app.post('/power-cut', async (c) => {
    await running().powerCut();
    return c.json({});
  });
  app.post('/hour', async (c) => {
    await running().passHour();
    return c.json({});
  });

  return {
    app,
    open(ready) {
      controls = ready;
    },
  };
}
