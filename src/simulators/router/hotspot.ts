// The HTTP side of a simulated hotspot: what a phone meets before and after it is logged in.
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { normalizeMac } from '../../lib/mac.ts';
import { TerminateCause } from '../../protocols/radius/dictionary.ts';
import { formatDuration } from '../../protocols/routeros/values.ts';
import type { Nas, Phone, Proof } from './nas.ts';
import type { HotspotPages } from './pages.ts';
import { octalEscape, renderServletPage, type ServletVariables } from './servlet.ts';

export interface HotspotSettings {
  identity: string;
  server: string;
  /** `login-by`: which of http-chap and http-pap the hotspot takes. */
  loginBy: readonly ('http-chap' | 'http-pap')[];
  pages(): HotspotPages;
  /** The hotspot's own origin, `http://127.0.0.1:1234`. */
  origin(): string;
  /**
   * Names the phone in every link the pages carry, for browsers that lose the cookie on the way; a real router's links
   * have no such query.
   */
  phoneInLinks: boolean;
  phones(): Phone[];
  now(): number;
}

interface Challenge {
  id: number;
  octets: Buffer;
}

const largestForm = 16 * 1024;
const cookieName = 'hotspot_phone';

/**
 * The hotspot's web server. A real one knows a phone by its address; here it is the `phone` parameter, then the cookie
 * that remembers it, then the only phone there is.
 */
export function createHotspotServer(settings: HotspotSettings, nas: Nas): Server {
  const challenges = new Map<string, Challenge>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const own = settings.origin();
    const url = new URL(request.url ?? '/', own);
    const host = request.headers.host;
    const foreign = url.origin !== own || (host !== undefined && host !== new URL(own).host);
    const query = url.searchParams;
    const named = normalizeMac(query.get('phone') ?? '');
    const phone = findPhone(named ?? normalizeMac(cookieOf(request)));
    if (!phone) {
      respond(response, 404, {}, 'This phone is not on the WiFi: add ?phone= with its MAC address\n');
      return;
    }
    if (named) response.setHeader('set-cookie', `${cookieName}=${phone.mac}; Path=/; SameSite=Lax`);
    // A browser asks for it unbidden; answering with the login page would make a new challenge behind the portal's back.
    if (url.pathname === '/favicon.ico') {
      respond(response, 404, {}, '');
      return;
    }
    for (const [name, value] of await readForm(request)) query.set(name, value);

    const keep = settings.phoneInLinks || (named !== undefined && !foreign);
    const show = (page: keyof HotspotPages, extra: ServletVariables = {}) =>
      showPage(response, page, phone, keep, { ...extra });
    const session = nas.sessionOf(phone.mac);
    const original = foreign
      ? `http://${host ?? url.host}${url.pathname}${url.search}`
      : (query.get('dst') ?? '');

    if (foreign) {
      if (session) respond(response, 200, { 'content-type': 'text/html' }, '<title>Success</title>Success\n');
      else show('redirect', { 'link-orig': original });
      return;
    }
    switch (url.pathname) {
      case '/login':
        if (session) show('alogin', { 'link-orig': original });
        else if (query.get('username') === null) show('login', { 'link-orig': original });
        else await logIn(response, phone, query, original, show);
        return;
      case '/logout':
        if (session) nas.stopSession(session, TerminateCause['User-Request']);
        show(session ? 'logout' : 'redirect', { 'link-orig': original });
        return;
      case '/api':
        respond(
          response,
          200,
          { 'content-type': 'application/captive+json' },
          JSON.stringify({ captive: session === undefined, 'user-portal-url': link('/login', phone, keep) }),
        );
        return;
      default:
        if (session) show('status');
        else show('redirect', { 'link-orig': original });
    }
  }

  async function logIn(
    response: ServerResponse,
    phone: Phone,
    query: URLSearchParams,
    original: string,
    show: (page: keyof HotspotPages, extra?: ServletVariables) => void,
  ): Promise<void> {
    const proof = proofFrom(phone, query.get('password') ?? '');
    const outcome =
      'error' in proof ? proof : await nas.login(phone, (query.get('username') ?? '').trim(), proof);
    if ('error' in outcome) {
      show('login', { 'link-orig': original, error: outcome.error, 'error-orig': outcome.error });
    } else if (/^https?:\/\//i.test(original)) {
      respond(response, 302, { location: original }, '');
    } else {
      show('alogin');
    }
  }

  /** The browser's hash of our challenge when it looks like one, else the password itself where that is allowed. */
  function proofFrom(phone: Phone, password: string): Proof | { error: string } {
    const challenge = challenges.get(phone.mac);
    challenges.delete(phone.mac);
    if (settings.loginBy.includes('http-chap') && challenge && /^[0-9a-f]{32}$/i.test(password)) {
      const response = Buffer.from(password, 'hex');
      return { method: 'chap', id: challenge.id, challenge: challenge.octets, response };
    }
    if (settings.loginBy.includes('http-pap')) return { method: 'pap', password };
    return { error: 'web browser did not send challenge response (try again, enable JavaScript)' };
  }

  function showPage(
    response: ServerResponse,
    page: keyof HotspotPages,
    phone: Phone,
    keep: boolean,
    extra: ServletVariables,
  ): void {
    const original = extra['link-orig'] ?? '';
    const session = nas.sessionOf(phone.mac);
    const login = link('/login', phone, keep, original === '' ? {} : { dst: original });
    const rendered = renderServletPage(settings.pages()[page], {
      identity: settings.identity,
      'server-name': settings.server,
      hostname: new URL(settings.origin()).host,
      mac: phone.mac,
      ip: phone.ip,
      'host-ip': phone.ip,
      'logged-in': session ? 'yes' : 'no',
      'link-login': login,
      'link-login-only': link('/login', phone, settings.phoneInLinks),
      'link-logout': link('/logout', phone, settings.phoneInLinks),
      'link-status': link('/status', phone, settings.phoneInLinks),
      'link-redirect': session ? original || link('/status', phone, keep) : login,
      ...(session ? sessionVariables(session.user, settings.now() - session.startedAt) : {}),
      ...(page === 'login' ? challengeVariables(phone) : {}),
      ...extra,
    });
    const headers = { 'content-type': 'text/html; charset=utf-8', 'cache-control': 'no-store' };
    respond(response, rendered.status, { ...headers, ...rendered.headers }, rendered.body);
  }

  /** Every load of the login page has a new challenge, bound to the phone. */
  function challengeVariables(phone: Phone): ServletVariables {
    if (!settings.loginBy.includes('http-chap')) return {};
    const challenge = { id: randomBytes(1)[0]!, octets: randomBytes(16) };
    challenges.set(phone.mac, challenge);
    return {
      'chap-id': octalEscape([challenge.id]),
      'chap-challenge': octalEscape(challenge.octets),
    };
  }

  function link(path: string, phone: Phone, named: boolean, parameters: Record<string, string> = {}): string {
    const query = new URLSearchParams(named ? { phone: phone.mac, ...parameters } : parameters).toString();
    return `${settings.origin()}${path}${query === '' ? '' : `?${query}`}`;
  }

  function findPhone(mac: string | undefined): Phone | undefined {
    const phones = settings.phones();
    if (mac === undefined) return phones.length === 1 ? phones[0] : undefined;
    return phones.find((phone) => phone.mac === mac);
  }

  return createServer((request, response) => {
    answer(request, response).catch((error: unknown) => {
      respond(response, 400, {}, `${error instanceof Error ? error.message : error}\n`);
    });
  });
}

function sessionVariables(username: string, uptimeMs: number): ServletVariables {
  return {
    username,
    uptime: formatDuration(uptimeMs / 1000),
    'uptime-secs': String(Math.floor(uptimeMs / 1000)),
  };
}

function cookieOf(request: IncomingMessage): string {
  const match = new RegExp(`(?:^|;\\s*)${cookieName}=([^;]*)`).exec(request.headers.cookie ?? '');
  return match?.[1] ?? '';
}

async function readForm(request: IncomingMessage): Promise<URLSearchParams> {
  if (request.method !== 'POST') return new URLSearchParams();
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largestForm) throw new Error('The form is too large');
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString('utf8'));
}

function respond(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  body: string,
): void {
  response.writeHead(status, { ...headers, connection: 'close' });
  response.end(body);
}
