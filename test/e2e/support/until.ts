// Waits for a condition.

const PAUSE_MS = 40;

/** Asks `find` again and again until it gives something; fails with `what` after `seconds`. */
export async function until<T>(
  what: string,
  find: () => T | Promise<T>,
  seconds = 15,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = Date.now() + seconds * 1000;
  for (;;) {
    const found = await find();
    if (found !== undefined && found !== null && found !== false) {
      return found as Exclude<T, undefined | null | false>;
    }
    if (Date.now() > deadline) throw new Error(`Not within ${seconds} s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}
