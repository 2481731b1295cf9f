// A clock that can be put ahead, so that an hour passes in a second.
import { type Clock, systemClock } from '../../lib/clock.ts';

export interface DemoClock extends Clock {
  aheadMs(): number;
  putAhead(ms: number): void;
}

/** The machine's clock until it is put ahead; it never goes back. */
export function createDemoClock(): DemoClock {
  let ahead = 0;
  return {
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic() + ahead,
    aheadMs: () => ahead,
    putAhead(ms) {
      ahead += Math.max(0, ms);
    },
  };
}
