// The RADIUS listeners: which source is which router, which packet goes to which handler.
import { type AccountingEvent, recordAccounting } from '../../access/accounting.ts';
import { AppError } from '../../errors.ts';
import { rememberOpened } from '../../lib/secrets.ts';
import { createAddressTable, isPrefix } from '../../network/addresses.ts';
import { allRouters, routerHeard } from '../../network/routers.ts';
import { Code } from '../../protocols/radius/packet.ts';
import { createRadiusServer, type Endpoint, type RadiusServer } from '../../protocols/radius/server.ts';
import { handleAccessRequest } from './access-request.ts';
import { readAccounting } from './accounting-request.ts';
import type { Nas, RadiusContext } from './context.ts';
import { createGroupCommit } from './group-commit.ts';
import { createLockout, LOCKOUT_LIMITS, type LockoutEntry } from './lockout.ts';
import { createSigningMemory } from './signing-memory.ts';

/** A source that is no router of ours. */
export interface UnknownSource {
  address: string;
  packets: number;
  first_seen_at: number;
  last_seen_at: number;
}

export interface RadiusListeners {
  start(): Promise<{ auth: Endpoint; acct: Endpoint }>;
  stop(): Promise<void>;
  /** Reads the routers again; call it after any of them changed. */
  reloadRouters(): Promise<void>;
  /** Writes down which routers were heard since the last call, and which of them sign. */
  recordHeard(): Promise<void>;
  unknownSources(): UnknownSource[];
  /** Who is held back for guessing. */
  lockouts(): LockoutEntry[];
  /** Lets a device that is held back try again; false when it is not. */
  releaseLockout(routerId: string, device: string): boolean;
  readonly counters: RadiusServer['counters'];
}

/** Too short for a guest who mistyped to mind, long enough to slow a guesser who waits for each answer. */
const REJECT_DELAY_MS = 1000;

/** The guests of a busy day at a large site, in 1 MB. */
const PASSWORDS_REMEMBERED = 4096;

/** More strangers than this are not told apart: the table must not grow with forged sources. */
const MOST_UNKNOWN = 200;

export function createRadiusListeners(
  context: RadiusContext,
  listen: { auth: Endpoint; acct: Endpoint },
  limits = { rejectDelayMs: REJECT_DELAY_MS, lockout: LOCKOUT_LIMITS },
): RadiusListeners {
  const { db, vault, clock, log, live } = context;
  const signingIn = { ...context, vault: rememberOpened(vault, PASSWORDS_REMEMBERED) };
  let routers = new Map<string, Nas>();
  let table = createAddressTable<Nas>([]);
  const lockout = createLockout(clock, limits.lockout);
  const signing = createSigningMemory(db, () => clock.now());
  const heard = new Map<string, number>();
  const unknown = new Map<string, UnknownSource>();

  const accounting =
    context.accounting ??
    createGroupCommit<AccountingEvent>(async (events) => {
      const sessions = await recordAccounting(db, events, clock.now());
      for (const session of sessions) live.publish('session', session);
    });

  const server = createRadiusServer<Nas>({
    authListen: listen.auth,
    acctListen: listen.acct,
    rejectDelayMs: limits.rejectDelayMs,
    findClient: (address) => table.find(address),
    signing,
    onAccess(request, nas) {
      heard.set(nas.id, clock.now());
      return handleAccessRequest(signingIn, lockout, request, nas);
    },
    async onAccounting(request, nas, sender) {
      const now = clock.now();
      heard.set(nas.id, now);
      const event = readAccounting(request, nas, sender.address, now);
      if (event) await accounting.add(event);
      return { code: Code.AccountingResponse, attributes: [] };
    },
    onError: (error, where) => log.error('RADIUS request failed', { error, ...where }),
    onUnknownClient(address) {
      const now = clock.now();
      const seen = unknown.get(address);
      if (seen) {
        seen.packets += 1;
        seen.last_seen_at = now;
      } else if (unknown.size < MOST_UNKNOWN) {
        unknown.set(address, { address, packets: 1, first_seen_at: now, last_seen_at: now });
      }
    },
  });

  return {
    async start() {
      await this.reloadRouters();
      try {
        return await server.start();
      } catch (cause) {
        throw new AppError('unavailable', 'Cannot listen for RADIUS.', {
          cause,
          hint: 'Is Karibu, or another RADIUS server, running there already? KARIBU_RADIUS_AUTH_LISTEN and KARIBU_RADIUS_ACCT_LISTEN choose other ports.',
        });
      }
    },
    async stop() {
      await server.stop();
      await signing.record().catch((error: unknown) => log.error('cannot remember who signs', { error }));
    },
    async reloadRouters() {
      await signing.load();
      const list = await allRouters(db);
      routers = new Map(
        list.map((router) => {
          const previous = routers.get(router.id);
          const secret = Buffer.from(vault.open(router.radius_secret_sealed));
          const nas: Nas = {
            id: router.id,
            name: router.name,
            secret,
            requireMessageAuthenticator: router.message_authenticator,
            byPrefix: isPrefix(router.address),
            macLogin: router.mac_login === 'yes',
          };
          const same =
            previous?.name === nas.name &&
            previous.secret.equals(secret) &&
            previous.byPrefix === nas.byPrefix &&
            previous.macLogin === nas.macLogin &&
            previous.requireMessageAuthenticator === nas.requireMessageAuthenticator;
          return [router.id, same ? previous : nas];
        }),
      );
      table = createAddressTable(
        list.flatMap((router) => {
          const nas = routers.get(router.id);
          return nas ? [[router.address, nas] as const] : [];
        }),
      );
      for (const address of unknown.keys()) if (table.find(address)) unknown.delete(address);
    },
    async recordHeard() {
      server.tidy();
      await signing.record();
      const list = [...heard];
      heard.clear();
      for (const [id, at] of list) await routerHeard(db, id, at);
    },
    unknownSources: () => [...unknown.values()].sort((a, b) => b.last_seen_at - a.last_seen_at),
    lockouts: () => lockout.list(),
    releaseLockout: lockout.release,
    counters: server.counters,
  };
}
