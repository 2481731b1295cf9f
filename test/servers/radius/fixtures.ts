// A RADIUS listener of ours on its own store, and a router that asks it over a real socket.
import { recordAccounting } from '../../../src/access/accounting.ts';
import type { Db } from '../../../src/db/schema.ts';
import { silentLog } from '../../../src/log.ts';
import { createRouter } from '../../../src/network/routers.ts';
import { attribute, getInteger, getString } from '../../../src/protocols/radius/attributes.ts';
import { createRadiusRequester, type RadiusRequester } from '../../../src/protocols/radius/client.ts';
import { AcctStatusType } from '../../../src/protocols/radius/dictionary.ts';
import { type Attribute, Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { chapPassword, hidePassword } from '../../../src/protocols/radius/passwords.ts';
import { createLive } from '../../../src/servers/live.ts';
import { createRadiusListeners } from '../../../src/servers/radius/listen.ts';
import { LOCKOUT_LIMITS, type LockoutLimits } from '../../../src/servers/radius/lockout.ts';
import { createSignInLog } from '../../../src/servers/radius/sign-in-log.ts';
import { createRouterSimulator } from '../../../src/simulators/router/simulator.ts';
import { NOW, vault } from '../../access/fixtures.ts';
import { memoryStore } from '../../support/stores.ts';

export const SECRET = Buffer.from('radius-secret');
export const MAC = 'AA:BB:CC:00:00:01';

export interface Login {
  username: string;
  password: string;
  method?: 'pap' | 'chap';
  mac?: string;
}

export async function startRadius(lockout: LockoutLimits = LOCKOUT_LIMITS, store?: Db) {
  const db = store ?? (await memoryStore());
  const time = { now: NOW, trusted: true };
  const signIns = createSignInLog();
  const live = createLive();
  const { router } = await createRouter(
    db,
    vault,
    {
      name: 'Kiosk',
      address: '127.0.0.1',
      radius_secret: SECRET.toString(),
      message_authenticator: 'auto',
      coa_port: 3799,
      api_port: 8728,
      api_tls: 0,
      api_username: null,
      hotspot_host: null,
      hotspot_interface: 'bridge',
      hotspot_network: '10.5.48.0/22',
    },
    NOW,
  );
  const endpoint = { host: '127.0.0.1', port: 0 };
  /** Listeners on the same store, as after a restart; not started. */
  const again = () =>
    createRadiusListeners(
      {
        db,
        vault,
        clock: { now: () => time.now, monotonic: () => time.now },
        log: silentLog,
        live,
        signIns,
        clockTrusted: () => time.trusted,
        interimSeconds: 60,
      },
      { auth: endpoint, acct: endpoint },
      { rejectDelayMs: 0, lockout },
    );
  const listeners = again();
  const bound = await listeners.start();
  const requester = createRadiusRequester();
  return { db, time, router, signIns, live, listeners, again, bound, requester, ...asker(requester, bound) };
}

function asker(requester: RadiusRequester, bound: { auth: { port: number }; acct: { port: number } }) {
  let challenges = 0;

  /** What a hotspot sends for this login; the answer, or undefined for silence of `timeoutMs`. */
  async function logIn(login: Login, timeoutMs = 10_000): Promise<Packet | undefined> {
    const { username, password, method = 'chap', mac = MAC } = login;
    const authenticator = Buffer.alloc(16, ++challenges);
    const challenge = Buffer.alloc(16, ++challenges);
    const proof: Attribute[] =
      method === 'chap'
        ? [
            attribute('CHAP-Challenge', challenge),
            attribute('CHAP-Password', chapPassword(249, password, challenge)),
          ]
        : [attribute('User-Password', hidePassword(password, SECRET, authenticator))];
    const answer = await requester.request({
      host: '127.0.0.1',
      port: bound.auth.port,
      secret: SECRET,
      code: Code.AccessRequest,
      authenticator,
      messageAuthenticator: true,
      requireMessageAuthenticator: true,
      attempts: 1,
      timeoutMs,
      attributes: [
        attribute('User-Name', username),
        ...(mac ? [attribute('Calling-Station-Id', mac)] : []),
        attribute('NAS-Port-Id', 'bridge'),
        attribute('Acct-Session-Id', '80100014'),
        ...proof,
      ],
    });
    return 'packet' in answer ? answer.packet : undefined;
  }

  /** An Accounting-Request with these attributes; the answer, or undefined for silence. */
  async function account(
    status: keyof typeof AcctStatusType | number,
    attributes: Attribute[],
    timeoutMs = 10_000,
  ): Promise<Packet | undefined> {
    const answer = await requester.request({
      host: '127.0.0.1',
      port: bound.acct.port,
      secret: SECRET,
      code: Code.AccountingRequest,
      attempts: 1,
      timeoutMs,
      attributes: [
        attribute('Acct-Status-Type', typeof status === 'number' ? status : AcctStatusType[status]),
        ...attributes,
      ],
    });
    return 'packet' in answer ? answer.packet : undefined;
  }

  return { logIn, account };
}

export const API = { username: 'karibu', password: 'nenosiri' };

/** A simulated router that asks these listeners, with an API that knows who is online; not started. */
export function routerWithApi({ bound, time }: Awaited<ReturnType<typeof startRadius>>) {
  return createRouterSimulator({
    radius: {
      host: '127.0.0.1',
      authPort: bound.auth.port,
      acctPort: bound.acct.port,
      secret: SECRET.toString(),
    },
    portal: { loginUrl: 'http://127.0.0.1/', statusUrl: 'http://127.0.0.1/status', router: 'kiosk' },
    api: API,
    tickMs: 0,
    now: () => time.now,
  });
}

/** What a reply says, in words that a test can compare. */
export function told(packet: Packet | undefined) {
  if (!packet) return 'silence';
  if (packet.code === Code.AccessReject) return { reject: getString(packet, 'Reply-Message') };
  return {
    accept: packet.code === Code.AccessAccept,
    session_timeout: getInteger(packet, 'Session-Timeout'),
    rate_limit: getString(packet, 'Mikrotik-Rate-Limit'),
    interim: getInteger(packet, 'Acct-Interim-Interval'),
  };
}

/** Has the store hold an open session, as if a Start had come. */
export async function online(db: Db, session: Parameters<typeof recordAccounting>[1][number], now = NOW) {
  return recordAccounting(db, [session], now);
}
