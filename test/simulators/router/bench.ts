// A RADIUS server of a few lines with a simulated router in front of it, for the tests beside this file.
import { attribute, getString } from '../../../src/protocols/radius/attributes.ts';
import {
  type Attribute,
  Code,
  decodePacket,
  encodeReply,
  type Packet,
  verifyMessageAuthenticator,
  verifyRequestAuthenticator,
} from '../../../src/protocols/radius/packet.ts';
import { checkPassword } from '../../../src/protocols/radius/passwords.ts';
import { openUdp, type UdpSocket } from '../../../src/protocols/radius/udp.ts';
import type { RouterEvent } from '../../../src/simulators/router/events.ts';
import {
  createRouterSimulator,
  type RouterSimulator,
  type RouterSimulatorOptions,
} from '../../../src/simulators/router/simulator.ts';

export const secret = 'bench-secret';

export interface Subscriber {
  password: string;
  accept?: Attribute[];
}

export interface Bench {
  router: RouterSimulator;
  events: RouterEvent[];
  /** Every right packet that came, retransmissions too. */
  access: Packet[];
  accounting: Packet[];
  subscribers: Map<string, Subscriber>;
  clock: { at: number };
  /** Advances the clock and lets the router notice; resolves when RADIUS is quiet. */
  advance(seconds: number): Promise<void>;
  /** Resolves with the first event, past or future, that fits. */
  event<T extends RouterEvent['type']>(type: T): Promise<Extract<RouterEvent, { type: T }>>;
  stop(): Promise<void>;
}

export interface BenchOptions extends Partial<RouterSimulatorOptions> {
  /** Makes the octets of an Access reply; the right ones unless a test wants others. */
  reply?(code: number, attributes: Attribute[], request: Packet): Buffer | undefined;
  silentAccounting?: boolean;
  radiusTimeoutMs?: number;
}

/** Starts both on 127.0.0.1; the clock stands still until a test moves it. */
export async function startBench(options: BenchOptions = {}): Promise<Bench> {
  const key = Buffer.from(secret);
  const clock = { at: Date.UTC(2026, 10, 21, 8) };
  const access: Packet[] = [];
  const accounting: Packet[] = [];
  const subscribers = new Map<string, Subscriber>();

  const auth: UdpSocket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onError: fail,
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (!packet || !verifyMessageAuthenticator(packet, key)) return;
      access.push(packet);
      const subscriber = subscribers.get(getString(packet, 'User-Name') ?? '');
      const right = subscriber !== undefined && checkPassword(packet, key, subscriber.password);
      const code = right ? Code.AccessAccept : Code.AccessReject;
      const attributes = right
        ? (subscriber.accept ?? [])
        : [attribute('Reply-Message', subscriber ? 'Wrong password' : 'Unknown voucher')];
      const bytes = options.reply
        ? options.reply(code, attributes, packet)
        : encodeReply({ code, attributes }, packet, key);
      if (bytes) auth.send(bytes, address, port);
    },
  });
  const acct: UdpSocket = await openUdp({
    host: '127.0.0.1',
    port: 0,
    onError: fail,
    onMessage(datagram, address, port) {
      const packet = decodePacket(datagram);
      if (!packet || !verifyRequestAuthenticator(packet, key)) return;
      accounting.push(packet);
      if (options.silentAccounting) return;
      acct.send(encodeReply({ code: Code.AccountingResponse, attributes: [] }, packet, key), address, port);
    },
  });

  const { reply: _reply, silentAccounting: _silent, radiusTimeoutMs = 2000, ...rest } = options;
  const router = createRouterSimulator({
    radius: {
      host: '127.0.0.1',
      authPort: auth.port,
      acctPort: acct.port,
      secret,
      timeoutMs: radiusTimeoutMs,
    },
    portal: { loginUrl: 'http://portal.test/login', statusUrl: 'http://portal.test/status', router: 'rt_1' },
    api: { username: 'karibu', password: 'api-password' },
    now: () => clock.at,
    tickMs: 0,
    ...rest,
  });
  const events: RouterEvent[] = [];
  const waiting: { type: string; resolve: (event: never) => void }[] = [];
  router.onEvent((event) => {
    events.push(event);
    for (const each of waiting) if (each.type === event.type) each.resolve(event as never);
  });
  await router.start();

  return {
    router,
    events,
    access,
    accounting,
    subscribers,
    clock,
    async advance(seconds) {
      clock.at += seconds * 1000;
      router.tick();
      await router.idle();
    },
    event(type) {
      const already = events.find((event) => event.type === type);
      if (already) return Promise.resolve(already as never);
      return new Promise((resolve) => waiting.push({ type, resolve }));
    },
    async stop() {
      await router.stop();
      await Promise.all([auth.close(), acct.close()]);
    },
  };
}

function fail(error: Error): void {
  throw error;
}
