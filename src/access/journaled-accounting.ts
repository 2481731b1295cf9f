// Takes accounting reports into a journal, where they are on disk, and from there into the store a moment later.
import { diskTrouble } from '../db/disk.ts';
import { createJournal, type Journal, type JournalFrame, readJournal } from '../db/journal.ts';
import { storeFlushed, withManners } from '../db/open.ts';
import type { Db } from '../db/schema.ts';
import { readSetting, writeSetting } from '../db/settings.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../log.ts';
import {
  type AccountingEvent,
  type RouterRestart,
  recordAccounting,
  type SessionReport,
  sessionName,
} from './accounting.ts';
import type { AccessRecord } from './entitlements.ts';
import type { Session } from './sessions.ts';

/** Its file in the data folder; it goes with the database that stands beside it. */
export const JOURNAL_FILE = 'accounting.journal';

export interface JournaledAccounting {
  /** Stores what a power cut left in the journal, and makes it ready for more. */
  start(): Promise<void>;
  /** Resolves when the event is on disk; rejects when the disk refuses it. */
  add(event: AccountingEvent): Promise<void>;
  /** Stores what was told of a credential's sessions; false when the store takes nothing, undefined when nothing waits. */
  catchUp(access: Pick<AccessRecord, 'credential_id' | 'username'>): Promise<boolean> | undefined;
  /** Stores what was told of any session; undefined when there is nothing. Never rejects: what the store refuses stays. */
  caughtUp(): Promise<void> | undefined;
  /** Stores what waits, as far as the store takes it. Nothing may be added any more. */
  stop(): Promise<void>;
}

interface Outside {
  clock: Pick<Clock, 'now'>;
  log: Log;
  /** Whether the disk is known to refuse: meanwhile nothing is acknowledged that the store has not taken. */
  diskRefuses(): boolean;
  /** Hears of the sessions that were stored, as they now stand. */
  stored(sessions: Session[]): void;
}

/** How long the store may lag behind when nobody looks. */
const LAG_MS = 200;
/** Sessions that may wait: beyond it the oldest are stored, so that a storm of reports finds most of its sessions here. */
const MOST_WAITING = 400;
/** Sessions stored in one transaction, some 3 ms in which no one signs in. */
const AT_ONCE = 40;
/** From here on a report is acknowledged only after some have been stored. */
const TOO_MANY = 2 * MOST_WAITING;
const RETRY_MS = 1000;

const KEY = 'accounting_journal';

/** What waits to be stored of one session. */
interface Waiting {
  key: string;
  owner: string;
  /** Of the oldest report. */
  frame: number;
  reports: SessionReport[];
}

/** Whether it is the rows themselves that the store refuses, so that no later time would be a better one. */
function isUnfit(error: unknown): boolean {
  if (error instanceof TypeError || error instanceof RangeError) return true;
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' && /^SQLITE_(CONSTRAINT|MISMATCH|TOOBIG)/.test(code);
}

/** Whose session a report is of, as far as that can be told without the store. */
function ownerOf(report: SessionReport): string {
  return report.reference?.credential_id ?? nameOwner(report.username);
}

function nameOwner(username: string): string {
  return `name ${username}`;
}

/**
 * The store writes whole pages for each report, the journal some hundred octets. So reports are acknowledged when the journal
 * has them, and stored together: the reports of a session, which follow each other quickly in a storm, are written once.
 * Whoever reads or writes through `db` waits until all that was acknowledged is stored, so nobody sees less than the
 * routers were told; a packet that asks for access waits for what concerns it (`catchUp`).
 *
 * Stored reports change nothing when they are stored again, so the journal is read from before the oldest that waited.
 */
export function createJournaledAccounting(store: Db, path: string, outside: Outside): JournaledAccounting {
  const { clock, log } = outside;
  // What the journal has is on disk.
  const hasty = withManners(store, { hasty: true });
  const waiting = new Map<string, Waiting>();
  const owners = new Map<string, Set<string>>();
  /** Whose sessions are being stored. */
  let storingOf = new Set<string>();
  /** Ends when what is being stored is stored; one transaction follows the other. */
  let storing: Promise<void> = Promise.resolve();
  let journal: Promise<Journal<SessionReport>> | undefined;
  /** Of what an earlier run left in the journal: once, however often the store then refuses it. */
  let reading: Promise<void> | undefined;
  /** The newest frame whose reports wait here or are stored. */
  let newest = 0;
  /** Why the store does not take what waits. Nothing more is acknowledged until it does. */
  let refused: unknown;
  let timer: NodeJS.Timeout | undefined;
  let relieving: Promise<void> | undefined;
  let trying: Promise<void> | undefined;

  function take(frame: JournalFrame<SessionReport>): void {
    newest = frame.number;
    for (const report of frame.records) {
      const key = sessionName(report);
      const known = waiting.get(key);
      if (known) known.reports.push(report);
      else keep({ key, owner: ownerOf(report), frame: frame.number, reports: [report] });
    }
    if (waiting.size > MOST_WAITING) relieving ??= relieve();
    timer ??= setTimeout(storeInTurns, LAG_MS);
  }

  function keep(session: Waiting): void {
    waiting.set(session.key, session);
    const keys = owners.get(session.owner);
    if (keys) keys.add(session.key);
    else owners.set(session.owner, new Set([session.key]));
  }

  function takeOut(keys: Iterable<string>): Waiting[] {
    const sessions: Waiting[] = [];
    for (const key of [...keys]) {
      const session = waiting.get(key);
      if (!session) continue;
      sessions.push(session);
      waiting.delete(key);
      const others = owners.get(session.owner);
      others?.delete(key);
      if (others?.size === 0) owners.delete(session.owner);
    }
    return sessions;
  }

  /** Puts back what could not be stored, before what came since: the order of a session's reports counts. */
  function putBack(sessions: Waiting[]): void {
    const since = takeOut(waiting.keys());
    for (const session of sessions) keep(session);
    for (const session of since) {
      const earlier = waiting.get(session.key);
      if (earlier) earlier.reports.push(...session.reports);
      else keep(session);
    }
  }

  function* oldest(): Iterable<string> {
    let count = 0;
    for (const key of waiting.keys()) {
      if (++count > AT_ONCE) return;
      yield key;
    }
  }

  /** The newest frame up to which nothing waits any more. */
  function doneWith(): number {
    let before = newest + 1;
    for (const { frame } of waiting.values()) before = Math.min(before, frame);
    return before - 1;
  }

  /** Stores sessions that are no longer among those that wait. */
  async function storeSessions(sessions: Waiting[]): Promise<void> {
    const record = async (reports: SessionReport[], also?: (tx: Db) => Promise<void>) =>
      outside.stored(await recordAccounting(hasty, reports, clock.now(), also));
    const stored = doneWith();
    try {
      await record(
        sessions.flatMap((session) => session.reports),
        (tx) => writeSetting(tx, KEY, { stored }, clock.now()),
      );
    } catch (error) {
      if (!isUnfit(error)) throw error;
      // One that the store can never take must not keep the others from it.
      for (const { reports } of sessions) {
        await record(reports).catch((reason: unknown) => {
          if (!isUnfit(reason)) throw reason;
          log.error('accounting lost: the store does not take it', { error: reason, reports });
        });
      }
    }
    refused = undefined;
  }

  /** Stores some of what waits, chosen when its turn comes. */
  function storeSome(choose: () => Iterable<string>): Promise<void> {
    storing = storing.then(async () => {
      const sessions = takeOut(choose());
      if (sessions.length === 0) return;
      storingOf = new Set(sessions.map((session) => session.owner));
      try {
        await storeSessions(sessions);
      } catch (error) {
        refused = error;
        log.error('accounting waits for the store', { error });
        putBack(sessions);
        timer ??= setTimeout(storeInTurns, RETRY_MS);
      }
      storingOf.clear();
    });
    return storing;
  }

  /** Stores all that waits now; what comes meanwhile is behind it. */
  async function storeAll(): Promise<void> {
    for (let left = waiting.size; left > 0; left -= AT_ONCE) {
      await storeSome(oldest);
      if (refused) return;
      // Between two transactions packets get their answers.
      if (left > AT_ONCE) await new Promise((resolve) => setImmediate(resolve));
    }
    await storing;
  }

  function storeInTurns(): void {
    timer = undefined;
    void storeAll();
  }

  async function relieve(): Promise<void> {
    while (waiting.size > MOST_WAITING && !refused) {
      await storeSome(oldest);
      await new Promise((resolve) => setImmediate(resolve));
    }
    relieving = undefined;
  }

  /** Has the store take what it refused; many ask at once. */
  async function tryAgain(): Promise<void> {
    trying ??= storeSome(oldest).finally(() => {
      trying = undefined;
    });
    await trying;
    if (refused) throw refused;
  }

  async function storeOnDisk(): Promise<void> {
    await storeAll();
    if (refused) throw refused;
    await storeFlushed(store);
  }

  async function readLeft(): Promise<void> {
    const known = (await readSetting<{ stored: number }>(store, KEY))?.stored ?? 0;
    const left = readJournal<SessionReport>(path, known);
    newest = known;
    for (const frame of left) take(frame);
    if (left.length > 0) log.info('accounting read from the journal', { frames: left.length });
  }

  async function open(): Promise<Journal<SessionReport>> {
    reading ??= readLeft().catch((error: unknown) => {
      reading = undefined;
      throw error;
    });
    await reading;
    await storeOnDisk();
    return createJournal<SessionReport>({ path, last: newest, onDisk: take, store: storeOnDisk });
  }

  function ready(): Promise<Journal<SessionReport>> {
    journal ??= open().catch((error: unknown) => {
      journal = undefined;
      throw error;
    });
    return journal;
  }

  async function recordRestart(restart: RouterRestart): Promise<void> {
    await ready();
    await storeAll();
    outside.stored(await recordAccounting(store, [restart], clock.now()));
  }

  return {
    async start() {
      await ready().catch((error: unknown) => {
        if (!diskTrouble(error)) throw error;
        log.error('accounting waits for the disk', { error });
      });
    },
    async add(event) {
      if (event.kind === 'router_restart') return recordRestart(event);
      const opened = await ready();
      while (waiting.size > TOO_MANY && relieving) await relieving;
      if (refused) await tryAgain();
      await opened.append(event);
      if (outside.diskRefuses()) await storeAll();
      if (refused) throw refused;
    },
    catchUp({ credential_id, username }) {
      const names = [credential_id, nameOwner(username)];
      if (refused || !names.some((name) => owners.has(name) || storingOf.has(name))) return undefined;
      const theirs = () => names.flatMap((name) => [...(owners.get(name) ?? [])]);
      return storeSome(theirs).then(() => !refused);
    },
    caughtUp() {
      if (refused || (waiting.size === 0 && storingOf.size === 0)) return undefined;
      return storeAll();
    },
    async stop() {
      const opened = await journal?.catch(() => undefined);
      await storeAll();
      clearTimeout(timer);
      await opened?.close();
    },
  };
}
