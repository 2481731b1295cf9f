// The time as Karibu counts it, so that a clock that lies or jumps harms nobody (DESIGN promise 8).
import type { Clock } from '../lib/clock.ts';
import { DAY_MS, dateText } from '../lib/days.ts';
import type { Db } from './schema.ts';
import { readSetting, writeSetting } from './settings.ts';

const KEY = 'clock';
/** Smaller steps are followed: a router's clock and NTP may well be off by so much. */
const TOLERANCE_MS = 120_000;
/** A box may have been off for so long without anyone having to vouch for its clock. */
const LONGEST_OFF_MS = 8 * DAY_MS;
/** What another clock said counts for so long. */
const WITNESS_MS = 10 * 60_000;
/** Time servers are asked at least every 34 minutes; what is older was said of another time. */
const SYNCHRONIZED_MS = 3600_000;
/** Before this no Karibu was ever built: a clock that says less has not been set. */
export const FIRST_BUILD_AT = Date.UTC(2025, 0, 1);

interface Stored {
  /** As counted when it was written. */
  last_known_at: number;
  trusted?: boolean;
  /** From here on the count was confirmed by nobody. */
  since_at?: number | null;
  /** The next start may find the clock ahead by so much; beyond it somebody has to vouch for it. */
  limit_ms?: number;
  boot_id?: string | undefined;
  boot_ms?: number | undefined;
}

/** The count was wrong by so much, from `since_at` on as it was counted; `at` is the right time now. */
export interface Correction {
  since_at: number;
  at: number;
  by_ms: number;
  /** Who says that the clock is right. */
  witness: string;
}

/** Another clock. `decides`: it is right, whatever ours says; the others are believed where they agree with ours. */
export interface Witness {
  name: string;
  at: number;
  decides?: boolean;
}

export interface ClockState {
  /** False while nothing ends by the clock and nothing is granted an end. */
  trusted: boolean;
  /** What is wrong and what it means; absent while all is well. */
  message?: string;
  /** What to do. */
  hint?: string;
  /** What the box shows, and what Karibu counts: they differ while something is wrong. */
  box_at: number;
  counted_at: number;
}

export interface KnownTime {
  /** The clock for everything that Karibu does. */
  clock: Clock;
  /** Reads what was remembered; call it before anything that depends on time. */
  load(): Promise<void>;
  /** Writes down the time. */
  remember(): Promise<void>;
  /** Compares the clocks, and corrects the count where it is known to be wrong. */
  check(): Promise<Correction | undefined>;
  /** Hears what another clock says. */
  hear(witness: Witness): void;
  /** A person vouches for what the box shows; undefined when there is nothing to correct. */
  confirm(name: string): Promise<Correction | undefined>;
  trusted(): boolean;
  state(): ClockState;
  /** From when to when Karibu was off before this start; undefined while that is not known. */
  wasOff(): { from_at: number; to_at: number } | undefined;
}

/** Does, in the transaction that notes a correction, what it means for what was written meanwhile. */
export type OnCorrection = (tx: Db, correction: Correction) => Promise<void>;

/** `1 hour`, `31 days`. */
function spanText(ms: number): string {
  const minutes = Math.round(Math.abs(ms) / 60_000);
  const [count, unit] =
    minutes < 120
      ? [minutes, 'minute']
      : minutes < 2 * 1440
        ? [Math.round(minutes / 60), 'hour']
        : minutes < 730 * 1440
          ? [Math.round(minutes / 1440), 'day']
          : [Math.round(minutes / (365.25 * 1440)), 'year'];
  return `${count} ${unit}${count === 1 ? '' : 's'}`;
}

/**
 * Karibu counts by itself: from the last time it knew, on by the monotonic clock, which no correction touches. The wall
 * clock is followed while it agrees. One that jumps is not followed until a witness agrees with it.
 */
export function createKnownTime(
  db: Db,
  system: Clock,
  onCorrection: OnCorrection = async () => undefined,
): KnownTime {
  let base = Math.max(system.now(), FIRST_BUILD_AT);
  let baseMonotonic = system.monotonic();
  let believed = system.now() >= FIRST_BUILD_AT;
  /** Untrusted, the clock is believed again when it is ahead of the count by no more than this. */
  let limit = Number.POSITIVE_INFINITY;
  let since: number | null = base;
  /** While the wall clock has jumped: when, and what `since` was before. */
  let jump: { at: number; since: number | null } | undefined;
  let contradiction: string | undefined;
  let off: { from_at: number; to_at: number } | undefined;
  let correcting: Promise<unknown> = Promise.resolve();
  const witnesses = new Map<string, Witness & { heard: number }>();

  const counted = () => Math.round(base + system.monotonic() - baseMonotonic);
  const ahead = () => system.now() - counted();

  function follow(): void {
    base = system.now();
    baseMonotonic = system.monotonic();
  }

  function now(): number {
    const count = counted();
    if (!believed) return count;
    if (Math.abs(system.now() - count) <= TOLERANCE_MS) {
      follow();
      if (jump) since = jump.since;
      jump = undefined;
      return base;
    }
    if (!jump) {
      jump = { at: count, since };
      since ??= count;
    }
    return count;
  }

  function says(witness: Witness & { heard: number }): number | undefined {
    const age = system.monotonic() - witness.heard;
    return age <= WITNESS_MS ? witness.at + age : undefined;
  }

  /** Who agrees with this time now. */
  function witnessOf(at: number): string | undefined {
    const synchronized = system.synchronizedAt?.();
    const age = synchronized === undefined ? undefined : system.now() - synchronized;
    if (at === system.now() && age !== undefined && age >= 0 && age <= SYNCHRONIZED_MS)
      return 'a time server';
    for (const witness of witnesses.values()) {
      const time = says(witness);
      if (time !== undefined && Math.abs(time - at) <= TOLERANCE_MS) return witness.name;
    }
    return undefined;
  }

  function contradicted(): string | undefined {
    for (const witness of witnesses.values()) {
      const time = witness.decides ? says(witness) : undefined;
      if (time !== undefined && Math.abs(time - counted()) > TOLERANCE_MS) return witness.name;
    }
    return undefined;
  }

  function stored(): Stored {
    const at = now();
    const room = jump
      ? Math.min(LONGEST_OFF_MS, ahead() > 0 ? ahead() - TOLERANCE_MS : LONGEST_OFF_MS)
      : limit;
    const boot = system.boot?.();
    return {
      last_known_at: at,
      trusted: believed,
      since_at: since,
      limit_ms: contradiction ? -1 : Math.min(room, LONGEST_OFF_MS),
      boot_id: boot?.id,
      boot_ms: boot && Math.round(boot.ms),
    };
  }

  async function correct(witness: string, certain: boolean): Promise<Correction> {
    const before = { base, baseMonotonic, believed, limit, since, jump, contradiction, off };
    const by_ms = ahead();
    const since_at = since ?? counted();
    follow();
    believed = true;
    limit = LONGEST_OFF_MS;
    since = certain ? null : base;
    jump = undefined;
    contradiction = undefined;
    if (off && since_at <= off.to_at) off = { ...off, to_at: off.to_at + by_ms };
    const correction = { since_at, at: base, by_ms, witness };
    try {
      await db.transaction().execute(async (tx) => {
        await onCorrection(tx, correction);
        await writeSetting(tx, KEY, stored(), base);
      });
    } catch (error) {
      ({ base, baseMonotonic, believed, limit, since, jump, contradiction, off } = before);
      throw error;
    }
    return correction;
  }

  /** One correction at a time: what it is decided on is read when its turn comes. */
  function inTurn(decide: () => Promise<Correction | undefined>): Promise<Correction | undefined> {
    const mine = correcting.then(decide);
    correcting = mine.catch(() => undefined);
    return mine;
  }

  return {
    clock: {
      now,
      monotonic: () => system.monotonic(),
    },
    async load() {
      const last = await readSetting<Stored>(db, KEY);
      const boot = system.boot?.();
      if (!last) return;
      const sameBoot = boot && boot.id === last.boot_id && boot.ms >= (last.boot_ms ?? 0);
      baseMonotonic = system.monotonic();
      if (sameBoot) {
        base = Math.round(last.last_known_at + boot.ms - (last.boot_ms ?? 0));
        believed = last.trusted ?? true;
        limit = last.limit_ms ?? LONGEST_OFF_MS;
        since = last.since_at ?? null;
      } else {
        base = last.last_known_at;
        limit = last.limit_ms ?? LONGEST_OFF_MS;
        believed = ahead() >= -TOLERANCE_MS && ahead() <= limit;
        since = last.trusted === false ? (last.since_at ?? base) : base;
        if (believed) {
          follow();
          since = base;
        }
      }
      off = { from_at: last.last_known_at, to_at: base };
      contradiction = !believed && limit < 0 ? 'another clock' : undefined;
    },
    async remember() {
      // A clock that was never right has nothing to remember.
      if (!believed && !contradiction && limit === Number.POSITIVE_INFINITY) return;
      await writeSetting(db, KEY, stored(), now());
    },
    check: () =>
      inTurn(async () => {
        now();
        const wall = system.now();
        const witness = witnessOf(wall);
        if (believed && !jump) {
          const by = contradicted();
          if (by) {
            believed = false;
            contradiction = by;
          } else if (witness) since = null;
          return undefined;
        }
        if (wall < FIRST_BUILD_AT) return undefined;
        if (witness) return correct(witness, true);
        if (believed) {
          if (witnessOf(counted())) since = jump?.at ?? null;
          return undefined;
        }
        const plausible = !contradiction && ahead() >= -TOLERANCE_MS && ahead() <= limit;
        return plausible ? correct('the clock of the box', false) : undefined;
      }),
    hear(witness) {
      if (witness.at < FIRST_BUILD_AT) return;
      witnesses.set(witness.name, { ...witness, heard: system.monotonic() });
    },
    confirm: (name) =>
      inTurn(async () => {
        now();
        if ((believed && !jump) || system.now() < FIRST_BUILD_AT) return undefined;
        return correct(name, true);
      }),
    trusted: () => believed,
    state() {
      const counted_at = now();
      const box_at = system.now();
      const wrong = box_at - counted_at;
      const shows = `It shows ${dateText(box_at)}`;
      const clocks = { box_at, counted_at };
      const hint =
        'Set the time of the box, or give it internet so that it sets it itself. If what it shows is right, say so here.';
      if (believed && !jump) return { trusted: true, ...clocks };
      if (believed) {
        const way = wrong > 0 ? 'forward' : 'back';
        return {
          trusted: true,
          message: `The clock of this box jumped ${way} by ${spanText(wrong)}. ${shows}; Karibu counts on by itself, as if it were ${dateText(counted_at)}, and nobody loses or gains time.`,
          hint,
          ...clocks,
        };
      }
      const why = contradiction
        ? `The clock of this box is not what ${contradiction} says.`
        : box_at < FIRST_BUILD_AT
          ? 'The clock of this box was not set.'
          : wrong < 0
            ? `The clock of this box is behind: it was ${dateText(counted_at)} already.`
            : `The clock of this box is ${spanText(wrong)} ahead of when Karibu last ran.`;
      return {
        trusted: false,
        message: `${why} ${shows}. Nothing expires until it is right.`,
        hint,
        ...clocks,
      };
    },
    wasOff: () => (believed ? off : undefined),
  };
}
