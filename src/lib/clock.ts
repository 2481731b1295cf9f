// Time as an argument: what the program asks when it wants to know how late it is.

export interface Clock {
  /** Epoch milliseconds, as the machine believes. */
  now(): number;
  /** Milliseconds that only ever grow, unaffected by corrections of the wall clock. */
  monotonic(): number;
}

export const systemClock: Clock = { now: () => Date.now(), monotonic: () => performance.now() };
