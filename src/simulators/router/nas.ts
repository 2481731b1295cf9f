// The RADIUS side of a simulated RouterOS 7 router, its hotspot and its PPPoE server: logins, sessions, limits, accounting.
import { randomBytes } from 'node:crypto';
import {
  attribute,
  foldGigawords,
  getAddress,
  getAll,
  getInteger,
  getString,
  gigawords,
  type WithAttributes,
} from '../../protocols/radius/attributes.ts';
import { createRadiusRequester } from '../../protocols/radius/client.ts';
import {
  AcctStatusType,
  FramedProtocol,
  NasPortType,
  ServiceType,
  TerminateCause,
} from '../../protocols/radius/dictionary.ts';
import { type Attribute, Code, newAuthenticator, type Packet } from '../../protocols/radius/packet.ts';
import { chapPassword, hidePassword } from '../../protocols/radius/passwords.ts';
import type { AccountingStatus, Events } from './events.ts';
import { parseRateLimit, type RateLimit } from './rate-limit.ts';

export interface RadiusSettings {
  /** An IP address; Disconnect and CoA are taken from it alone. */
  host: string;
  authPort: number;
  acctPort: number;
  secret: string;
  /** How long each attempt waits; 1000, as seen. */
  timeoutMs?: number;
  /** 3, as seen. */
  attempts?: number;
  /** `require-message-auth`, on by default since RouterOS 7.15: Access replies without a right one do not count. */
  requireMessageAuth?: boolean;
}

export interface NasSettings {
  /** Where its packets come from; undefined leaves it to the system. */
  sourceAddress: string | undefined;
  radius: RadiusSettings;
  /** `/system identity`, sent as NAS-Identifier. */
  identity: string;
  /** Sent as NAS-IP-Address. */
  nasIp: string;
  /** The `/ip hotspot` row's name, sent as Called-Station-Id. */
  server: string;
  /** Sent as NAS-Port-Id. */
  portId: string;
  /** The PPPoE server's `service-name`, sent as Called-Station-Id, and the interface it runs on, as NAS-Port-Id. */
  pppoe: { name: string; interface: string };
  /** Where a phone can log out, sent as WISPr-Logoff-URL. */
  logoffUrl(): string;
  /** A router that forgets its limits: sessions end only when someone ends them. */
  ignoreLimits: boolean;
  /** What a CoA's Session-Timeout is counted from; not documented. */
  coaSessionTimeout: 'from_start' | 'from_now';
}

export interface Phone {
  /** `AA:BB:CC:DD:EE:FF`. */
  mac: string;
  ip: string;
  /** What it uses while online, bits a second, before the rate limit. */
  uploadBps: number;
  downloadBps: number;
}

export type Service = 'hotspot' | 'pppoe';

export interface Session {
  service: Service;
  /** `.id` in `/ip/hotspot/active` or `/ppp/active`. */
  rowId: string;
  /** Acct-Session-Id, 8 hex digits. */
  id: string;
  nasPort: number;
  user: string;
  phone: Phone;
  startedAt: number;
  class: Buffer[];
  uploadOctets: number;
  downloadOctets: number;
  rateLimit: string | undefined;
  /** When Session-Timeout ends it. */
  endsAt: number | undefined;
  idleSeconds: number | undefined;
  totalLimit: number | undefined;
  uploadLimit: number | undefined;
  downloadLimit: number | undefined;
  interimSeconds: number | undefined;
  nextInterimAt: number | undefined;
  countedAt: number;
  lastTrafficAt: number;
}

/** How a phone proves who it is: in clear, or by what its browser computed from our challenge. */
export type Proof =
  | { method: 'pap'; password: string }
  | { method: 'chap'; id: number; challenge: Buffer; response: Buffer };

export type LoginOutcome = { session: Session } | { error: string };

export interface Nas {
  login(phone: Phone, user: string, proof: Proof, service?: Service): Promise<LoginOutcome>;
  sessions(): Session[];
  sessionOf(mac: string): Session | undefined;
  /** Ends a session and sends its Stop; nothing happens when it has ended already. */
  stopSession(session: Session, cause: number): void;
  /** Applies what a CoA-Request changes. */
  changeSession(session: Session, change: WithAttributes): void;
  addTraffic(session: Session, uploadOctets: number, downloadOctets: number): void;
  /** Does what is due by now: counts traffic, ends sessions, sends interims. */
  tick(): void;
  /** All sessions are gone without a Stop; the next ones are of another boot. */
  forgetAll(): void;
  /** Resolves when no RADIUS exchange is under way. */
  idle(): Promise<void>;
  close(): Promise<void>;
}

const errors = {
  timeout: 'RADIUS server is not responding',
  rejected: 'invalid username or password',
} as const;

/** Makes the CHAP proof a browser would make, for a login whose password the router was told. */
export function chapProof(password: string): Proof {
  const id = randomBytes(1)[0]!;
  const challenge = randomBytes(16);
  return { method: 'chap', id, challenge, response: chapPassword(id, password, challenge).subarray(1) };
}

export function createNas(settings: NasSettings, events: Events, now: () => number): Nas {
  const requester = createRadiusRequester({ localAddress: settings.sourceAddress });
  const open = new Map<string, Session>();
  const underWay = new Set<Promise<unknown>>();
  let boot = 1;
  let sessionNumber = 0;
  let rowNumber = 0;

  /** `80` for hotspot, else (not documented) `81`; a digit per boot, the rest per session (MikroTik manual, RADIUS). */
  function nextNasPort(service: Service): number {
    sessionNumber += 1;
    return (
      (service === 'hotspot' ? 0x80000000 : 0x81000000) + (boot % 16) * 0x100000 + (sessionNumber % 0x100000)
    );
  }

  function exchange(
    code: number,
    attributes: Attribute[],
    authenticator?: Buffer,
  ): Promise<Packet | undefined> {
    const { radius } = settings;
    const forAccess = code === Code.AccessRequest;
    const running = requester
      .request({
        host: radius.host,
        port: forAccess ? radius.authPort : radius.acctPort,
        secret: Buffer.from(radius.secret, 'utf8'),
        code,
        attributes,
        ...(authenticator ? { authenticator } : {}),
        ...(forAccess ? { messageAuthenticator: 'last' as const } : {}),
        requireMessageAuthenticator: forAccess && radius.requireMessageAuth !== false,
        timeoutMs: radius.timeoutMs ?? 1000,
        attempts: radius.attempts ?? 3,
        onBadReply: () => events.emit({ type: 'bad_reply', at: now() }),
      })
      .then((outcome) => ('packet' in outcome ? outcome.packet : undefined))
      .finally(() => underWay.delete(running));
    underWay.add(running);
    return running;
  }

  async function login(
    phone: Phone,
    user: string,
    proof: Proof,
    service: Service = 'hotspot',
  ): Promise<LoginOutcome> {
    const nasPort = nextNasPort(service);
    const id = nasPort.toString(16).toUpperCase();
    const authenticator = newAuthenticator();
    const about = { user, mac: phone.mac };
    events.emit({ type: 'access_sent', at: now(), ...about, method: proof.method });
    const reply = await exchange(
      Code.AccessRequest,
      [
        ...lineAttributes(service, phone),
        attribute('User-Name', user),
        attribute('NAS-Port', nasPort),
        attribute('Acct-Session-Id', id),
        // Of a PPPoE client the address is not known before the answer.
        ...(service === 'hotspot' ? addressAttributes(service, phone.ip) : []),
        ...proofAttributes(proof, settings.radius.secret, authenticator),
        ...serviceAttributes(service),
        attribute('NAS-Identifier', settings.identity),
        attribute('NAS-IP-Address', settings.nasIp),
      ],
      authenticator,
    );
    if (!reply) {
      events.emit({ type: 'access_timeout', at: now(), ...about });
      return { error: errors.timeout };
    }
    const refusal =
      reply.code === Code.AccessAccept
        ? sharedUsersRefusal(
            user,
            phone.mac,
            service === 'hotspot' ? getInteger(reply, 'Port-Limit') : undefined,
          )
        : (getString(reply, 'Reply-Message') ?? errors.rejected);
    if (refusal !== undefined) {
      events.emit({ type: 'access_rejected', at: now(), ...about, message: refusal });
      return { error: refusal };
    }
    events.emit({ type: 'access_accepted', at: now(), ...about });
    const before = open.get(phone.mac);
    if (before) stopSession(before, TerminateCause['User-Request']);
    const device =
      service === 'hotspot' ? phone : { ...phone, ip: getAddress(reply, 'Framed-IP-Address') ?? phone.ip };
    return { session: startSession(service, device, user, id, nasPort, reply) };
  }

  /** Port-Limit takes the place of the profile's shared-users, which our template leaves unlimited. */
  function sharedUsersRefusal(user: string, mac: string, portLimit: number | undefined): string | undefined {
    if (!portLimit) return undefined;
    const others = [...open.values()].filter((session) => session.user === user && session.phone.mac !== mac);
    return others.length < portLimit ? undefined : `no more sessions are allowed for user ${user}`;
  }

  function lineAttributes(service: Service, phone: Phone): Attribute[] {
    const hotspot = service === 'hotspot';
    return [
      attribute('NAS-Port-Type', hotspot ? NasPortType['Wireless-802.11'] : NasPortType.Ethernet),
      attribute('Calling-Station-Id', phone.mac),
      attribute('Called-Station-Id', hotspot ? settings.server : settings.pppoe.name),
      attribute('NAS-Port-Id', hotspot ? settings.portId : settings.pppoe.interface),
    ];
  }

  function serviceAttributes(service: Service): Attribute[] {
    return service === 'hotspot'
      ? [
          attribute('Service-Type', ServiceType['Login-User']),
          attribute('WISPr-Logoff-URL', settings.logoffUrl()),
        ]
      : [
          attribute('Service-Type', ServiceType['Framed-User']),
          attribute('Framed-Protocol', FramedProtocol.PPP),
        ];
  }

  function startSession(
    service: Service,
    phone: Phone,
    user: string,
    id: string,
    nasPort: number,
    accept: Packet,
  ): Session {
    const startedAt = now();
    rowNumber += 1;
    const interimSeconds = getInteger(accept, 'Acct-Interim-Interval') || undefined;
    const session: Session = {
      service,
      rowId: `*${rowNumber.toString(16).toUpperCase()}`,
      id,
      nasPort,
      user,
      phone,
      startedAt,
      class: getAll(accept, 'Class'),
      uploadOctets: 0,
      downloadOctets: 0,
      rateLimit: undefined,
      endsAt: undefined,
      idleSeconds: undefined,
      totalLimit: volumeLimit(accept, 'Mikrotik-Total-Limit', 'Mikrotik-Total-Limit-Gigawords'),
      uploadLimit: undefined,
      downloadLimit: undefined,
      interimSeconds,
      nextInterimAt: interimSeconds === undefined ? undefined : startedAt + interimSeconds * 1000,
      countedAt: startedAt,
      lastTrafficAt: startedAt,
    };
    applyChangeable(session, accept, startedAt);
    open.set(phone.mac, session);
    account(session, 'Start');
    events.emit({ type: 'session_started', at: startedAt, ...who(session) });
    return session;
  }

  /** The attributes that both an Accept and a CoA-Request may carry; Total-Limit and Address-List are not among them. */
  function applyChangeable(session: Session, from: WithAttributes, timeoutFrom: number): void {
    session.rateLimit = getString(from, 'Mikrotik-Rate-Limit') ?? session.rateLimit;
    const timeout = getInteger(from, 'Session-Timeout');
    if (timeout !== undefined) session.endsAt = timeout === 0 ? undefined : timeoutFrom + timeout * 1000;
    const idle = getInteger(from, 'Idle-Timeout');
    if (idle !== undefined) session.idleSeconds = idle || undefined;
    session.uploadLimit =
      volumeLimit(from, 'Mikrotik-Recv-Limit', 'Mikrotik-Recv-Limit-Gigawords') ?? session.uploadLimit;
    session.downloadLimit =
      volumeLimit(from, 'Mikrotik-Xmit-Limit', 'Mikrotik-Xmit-Limit-Gigawords') ?? session.downloadLimit;
  }

  function changeSession(session: Session, change: WithAttributes): void {
    applyChangeable(session, change, settings.coaSessionTimeout === 'from_start' ? session.startedAt : now());
    events.emit({ type: 'session_changed', at: now(), ...who(session) });
  }

  function stopSession(session: Session, cause: number): void {
    if (open.get(session.phone.mac) !== session) return;
    countTraffic(session, now());
    open.delete(session.phone.mac);
    account(session, 'Stop', cause);
    events.emit({ type: 'session_stopped', at: now(), ...who(session), cause });
  }

  /** Sends one accounting packet; whether it is answered shows in the events. */
  function account(session: Session, status: AccountingStatus, cause?: number): void {
    const at = now();
    events.emit({ type: 'accounting_sent', at, status, sessionId: session.id });
    exchange(Code.AccountingRequest, accountingAttributes(session, status, at, cause)).then(
      (reply) => {
        const type = reply ? 'accounting_answered' : 'accounting_timeout';
        events.emit({ type, at: now(), status, sessionId: session.id });
      },
      // The requester was closed while this waited, or has no socket: for the server it is the same silence.
      () => events.emit({ type: 'accounting_timeout', at: now(), status, sessionId: session.id }),
    );
  }

  function accountingAttributes(
    session: Session,
    status: AccountingStatus,
    at: number,
    cause: number | undefined,
  ): Attribute[] {
    const { phone } = session;
    const endedAt = session.endsAt !== undefined && status === 'Stop' ? Math.min(at, session.endsAt) : at;
    return [
      attribute('Acct-Status-Type', AcctStatusType[status]),
      ...(cause === undefined ? [] : [attribute('Acct-Terminate-Cause', cause)]),
      ...lineAttributes(session.service, phone),
      attribute('User-Name', session.user),
      attribute('NAS-Port', session.nasPort),
      attribute('Acct-Session-Id', session.id),
      ...addressAttributes(session.service, phone.ip),
      ...session.class.map((value) => attribute('Class', value)),
      attribute('Event-Timestamp', at),
      ...(status === 'Start' ? [] : usageAttributes(session, endedAt)),
      attribute('NAS-Identifier', settings.identity),
      attribute('Acct-Delay-Time', 0),
      attribute('NAS-IP-Address', settings.nasIp),
    ];
  }

  function addTraffic(session: Session, uploadOctets: number, downloadOctets: number): void {
    session.uploadOctets += uploadOctets;
    session.downloadOctets += downloadOctets;
    if (uploadOctets + downloadOctets > 0) session.lastTrafficAt = now();
  }

  /** Adds what the phone used up to `at`, no faster than its rate limit lets it. */
  function countTraffic(session: Session, at: number): void {
    const until = settings.ignoreLimits ? at : Math.min(at, session.endsAt ?? at);
    const seconds = Math.max(0, until - session.countedAt) / 1000;
    session.countedAt = Math.max(session.countedAt, at);
    if (seconds === 0) return;
    const limit: RateLimit | undefined =
      session.rateLimit === undefined ? undefined : parseRateLimit(session.rateLimit);
    const upload = Math.min(session.phone.uploadBps, limit?.uploadBps || Infinity);
    const download = Math.min(session.phone.downloadBps, limit?.downloadBps || Infinity);
    addTraffic(session, Math.round((upload * seconds) / 8), Math.round((download * seconds) / 8));
  }

  /** Why the session has to end by now; undefined when it may go on. */
  function dueCause(session: Session, at: number): number | undefined {
    const { uploadOctets, downloadOctets } = session;
    const used = uploadOctets + downloadOctets;
    if (
      (session.totalLimit !== undefined && used >= session.totalLimit) ||
      (session.uploadLimit !== undefined && uploadOctets >= session.uploadLimit) ||
      (session.downloadLimit !== undefined && downloadOctets >= session.downloadLimit)
    ) {
      return TerminateCause['NAS-Request'];
    }
    if (session.endsAt !== undefined && at >= session.endsAt) return TerminateCause['Session-Timeout'];
    if (session.idleSeconds !== undefined && at - session.lastTrafficAt >= session.idleSeconds * 1000) {
      return TerminateCause['Idle-Timeout'];
    }
    return undefined;
  }

  function tick(): void {
    const at = now();
    for (const session of [...open.values()]) {
      countTraffic(session, at);
      const cause = settings.ignoreLimits ? undefined : dueCause(session, at);
      if (cause !== undefined) {
        stopSession(session, cause);
      } else if (session.nextInterimAt !== undefined && at >= session.nextInterimAt) {
        account(session, 'Interim-Update');
        session.nextInterimAt = at + session.interimSeconds! * 1000;
      }
    }
  }

  return {
    login,
    sessions: () => [...open.values()],
    sessionOf: (mac) => open.get(mac),
    stopSession,
    changeSession,
    addTraffic,
    tick,
    forgetAll() {
      const gone = [...open.values()];
      open.clear();
      boot += 1;
      sessionNumber = 0;
      for (const session of gone) events.emit({ type: 'session_vanished', at: now(), ...who(session) });
    },
    async idle() {
      while (underWay.size > 0) await Promise.allSettled(underWay);
    },
    close: requester.close,
  };
}

function who(session: Session): { user: string; mac: string; sessionId: string } {
  return { user: session.user, mac: session.phone.mac, sessionId: session.id };
}

function addressAttributes(service: Service, ip: string): Attribute[] {
  const framed = attribute('Framed-IP-Address', ip);
  return service === 'hotspot' ? [framed, attribute('Mikrotik-Host-IP', ip)] : [framed];
}

function proofAttributes(proof: Proof, secret: string, authenticator: Buffer): Attribute[] {
  if (proof.method === 'pap') {
    const hidden = hidePassword(proof.password, Buffer.from(secret, 'utf8'), authenticator);
    return [attribute('User-Password', hidden)];
  }
  return [
    attribute('CHAP-Challenge', proof.challenge),
    attribute('CHAP-Password', Buffer.concat([Buffer.from([proof.id]), proof.response])),
  ];
}

type LimitName = 'Mikrotik-Total-Limit' | 'Mikrotik-Recv-Limit' | 'Mikrotik-Xmit-Limit';

/** A volume with its Gigawords twin; zero means no limit, and so does its absence. */
function volumeLimit(
  from: WithAttributes,
  name: LimitName,
  twin: `${LimitName}-Gigawords`,
): number | undefined {
  return foldGigawords(getInteger(from, name) ?? 0, getInteger(from, twin) ?? 0) || undefined;
}

/** Interim and Stop; the Gigawords are there even when they are zero, as seen. */
function usageAttributes(session: Session, at: number): Attribute[] {
  const upload = gigawords(session.uploadOctets);
  const download = gigawords(session.downloadOctets);
  return [
    attribute('Acct-Session-Time', Math.max(0, Math.floor((at - session.startedAt) / 1000))),
    attribute('Acct-Input-Octets', upload.low),
    attribute('Acct-Input-Gigawords', upload.high),
    attribute('Acct-Input-Packets', Math.ceil(session.uploadOctets / 1000) % 0x100000000),
    attribute('Acct-Output-Octets', download.low),
    attribute('Acct-Output-Gigawords', download.high),
    attribute('Acct-Output-Packets', Math.ceil(session.downloadOctets / 1000) % 0x100000000),
  ];
}
