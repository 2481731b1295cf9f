// A whole Karibu on real sockets, with a router whose packets a test writes, a CoA door that keeps what it is asked.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createApp } from '../../src/app.ts';
import { readConfig } from '../../src/config.ts';
import { silentLog } from '../../src/log.ts';
import { attribute, getString } from '../../src/protocols/radius/attributes.ts';
import { createRadiusRequester } from '../../src/protocols/radius/client.ts';
import { AcctStatusType } from '../../src/protocols/radius/dictionary.ts';
import { type Attribute, Code, type Packet } from '../../src/protocols/radius/packet.ts';
import { chapPassword } from '../../src/protocols/radius/passwords.ts';
import { NOW } from '../access/fixtures.ts';
import { openCoaPeer } from '../network/coa-peer.ts';

const ANY = '127.0.0.1:0';
export const SECRET = 'radius-secret';

// biome-ignore lint/suspicious/noExplicitAny: an answer is whatever the server sent; tests look into it freely.
type Json = any;

/** The low 32 bits and what is above them, as RADIUS carries an octet counter. */
export function counter(octets: number): [number, number] {
  return [octets % 2 ** 32, Math.floor(octets / 2 ** 32)];
}

/** A site with one router at 127.0.0.1; time stands until a test moves `time.now`. */
export async function startSite() {
  const folder = mkdtempSync(join(tmpdir(), 'karibu-site-'));
  const time = { now: NOW };
  const names = ['ADMIN', 'PORTAL', 'CALLBACK', 'RADIUS_AUTH', 'RADIUS_ACCT', 'SIMULATOR'];
  const config = readConfig(Object.fromEntries(names.map((name) => [`KARIBU_${name}_LISTEN`, ANY])), {
    data: folder,
  });
  const clock = { now: () => time.now, monotonic: () => time.now };
  const app = await createApp(config, { log: silentLog, clock });
  const bound = await app.start();
  const peer = await openCoaPeer();
  const requester = createRadiusRequester();
  let token: string | undefined;

  async function call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`http://${bound.admin}/api/v1${path}`, {
      method,
      headers: {
        'content-type': 'application/json',
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...headers,
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, json: (text ? JSON.parse(text) : undefined) as Json };
  }

  /** The answer of a call that must succeed. */
  async function ok(...input: Parameters<typeof call>): Promise<Json> {
    const { status, json } = await call(...input);
    if (status >= 400) throw new Error(`${input[0]} ${input[1]}: ${status} ${JSON.stringify(json)}`);
    return json;
  }

  const owner = { email: 'owner@example.com', name: 'Owner', password: 'correct horse battery' };
  token = (await ok('POST', '/auth/setup', { ...owner, business_name: 'Site' })).token;
  const router = await ok('POST', '/routers', {
    name: 'Kiosk',
    address: '127.0.0.1',
    radius_secret: SECRET,
    coa_port: peer.port,
  });

  async function send(code: number, address: string, attributes: Attribute[]): Promise<Packet> {
    const answer = await requester.request({
      host: '127.0.0.1',
      port: Number(address.split(':').pop()),
      secret: Buffer.from(SECRET),
      code,
      ...(code === Code.AccessRequest
        ? { messageAuthenticator: true, requireMessageAuthenticator: true }
        : {}),
      attempts: 1,
      timeoutMs: 10_000,
      attributes,
    });
    if (!('packet' in answer)) throw new Error('The server was silent.');
    return answer.packet;
  }

  let sessions = 0;

  /** A device at the router: `logIn` asks for access; the others tell accounting of the session that it got. */
  function device(mac: string, extra: Attribute[] = []) {
    let session: Attribute[] = [];
    const account = (status: keyof typeof AcctStatusType, more: Attribute[]) =>
      send(Code.AccountingRequest, bound.radius_acct, [
        attribute('Acct-Status-Type', AcctStatusType[status]),
        ...session,
        ...more,
      ]);
    const usage = (seconds: number, upload: number, download: number) => [
      attribute('Acct-Session-Time', seconds),
      attribute('Acct-Input-Octets', counter(upload)[0]),
      attribute('Acct-Input-Gigawords', counter(upload)[1]),
      attribute('Acct-Output-Octets', counter(download)[0]),
      attribute('Acct-Output-Gigawords', counter(download)[1]),
    ];
    return {
      async logIn(username: string, password: string): Promise<Packet> {
        const challenge = Buffer.alloc(16, ++sessions);
        const id = `8010${String(sessions).padStart(4, '0')}`;
        const who = [
          attribute('User-Name', username),
          attribute('Calling-Station-Id', mac),
          attribute('NAS-Port-Id', 'bridge'),
          attribute('Acct-Session-Id', id),
          ...extra,
        ];
        const accept = await send(Code.AccessRequest, bound.radius_auth, [
          ...who,
          attribute('CHAP-Challenge', challenge),
          attribute('CHAP-Password', chapPassword(7, password, challenge)),
        ]);
        const reference = getString(accept, 'Class');
        session = [
          ...who,
          attribute('NAS-IP-Address', '127.0.0.1'),
          attribute('Framed-IP-Address', '10.5.50.20'),
          ...(reference ? [attribute('Class', reference)] : []),
        ];
        return accept;
      },
      start: () => account('Start', []),
      /** Totals of the session so far. */
      interim: (seconds: number, upload = 0, download = 0) =>
        account('Interim-Update', usage(seconds, upload, download)),
      stop: (seconds: number, upload = 0, download = 0) =>
        account('Stop', [...usage(seconds, upload, download), attribute('Acct-Terminate-Cause', 1)]),
    };
  }

  /** A home with a PPPoE credential under a plan of these terms; more entitlements come by `grant`. */
  async function home(terms: Record<string, unknown>, more: Record<string, unknown> = {}) {
    const plan = await sellHomes(terms);
    const subscriber = await ok('POST', '/subscribers', { name: `Home ${++sessions}` });
    const credential = await ok('POST', '/credentials', {
      subscriber_id: subscriber.id,
      username: `home-${sessions}`,
      ...more,
    });
    const grant = (planId: string, not_before_at: number | null = null) =>
      ok('POST', '/entitlements', {
        credential_id: credential.id,
        plan_id: planId,
        not_before_at,
        reason: 'for the test',
      });
    const entitlement = await grant(plan.id);
    const logIn = (at: ReturnType<typeof device>) => at.logIn(credential.username, credential.password);
    return { plan, subscriber, credential, entitlement, grant, logIn };
  }

  /** A plan for homes. */
  function sellHomes(terms: Record<string, unknown>): Promise<Json> {
    return sell({ kind: 'pppoe', ...terms });
  }

  function sell(terms: Record<string, unknown>): Promise<Json> {
    const plan = { name: 'Plan', price_cents: 2000, validity_seconds: 3600, max_devices: 1 };
    return ok('POST', '/plans', { ...plan, ...terms });
  }

  return {
    /** As at the start: the time, and a CoA door that agrees and was asked for nothing. */
    begin() {
      time.now = NOW;
      peer.asked.length = 0;
      peer.agrees = true;
    },
    ...app,
    bound,
    time,
    peer,
    router,
    call,
    ok,
    device,
    home,
    sell,
    sellHomes,
    async close() {
      await requester.close();
      await app.stop();
      await peer.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export type Site = Awaited<ReturnType<typeof startSite>>;
