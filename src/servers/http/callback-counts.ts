// What came to the callback door since the start, in memory.

/** What became of a notice: taken as evidence, kept aside, cut off, or refused for its size. */
export type CallbackFate = 'taken' | 'quarantined' | 'slow' | 'too_large';

export interface Stranger {
  at: number;
  address: string | null;
  why: string;
}

export interface CallbackCounts {
  since_at: number;
  counts: Record<CallbackFate | 'doubted' | 'checks', number>;
  /** Of the last notice that was taken. */
  last_taken_at: number | null;
  /** The newest notices that were kept aside or not believed at once; newest first. */
  strangers: Stranger[];
}

export interface CallbackCounter {
  note(fate: CallbackFate, at: number): void;
  /** A number from outside was answered. */
  noteCheck(): void;
  /** One that was taken, but M-PESA is asked first. */
  noteDoubt(): void;
  /** Something an operator should see. */
  noteStranger(stranger: Stranger): void;
  read(): CallbackCounts;
}

const MOST_STRANGERS = 20;

export function createCallbackCounter(now: number): CallbackCounter {
  const counts = { taken: 0, quarantined: 0, slow: 0, too_large: 0, doubted: 0, checks: 0 };
  const strangers: Stranger[] = [];
  let lastTakenAt: number | null = null;
  return {
    note(fate, at) {
      counts[fate] += 1;
      if (fate === 'taken') lastTakenAt = at;
    },
    noteCheck() {
      counts.checks += 1;
    },
    noteDoubt() {
      counts.doubted += 1;
    },
    noteStranger(stranger) {
      strangers.unshift(stranger);
      strangers.length = Math.min(strangers.length, MOST_STRANGERS);
    },
    read: () => ({
      since_at: now,
      counts: { ...counts },
      last_taken_at: lastTakenAt,
      strangers: [...strangers],
    }),
  };
}
