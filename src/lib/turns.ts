// Gives requests their turn one after the other, so that a crowd at a door does not hold up what else comes in.

/**
 * Resolves when it is this request's turn: one begins in each turn of the event loop, between which the packets that came
 * meanwhile are read. Fifty phones that open the portal at once would otherwise keep RADIUS waiting for all fifty pages.
 */
export function createTurns(): () => Promise<void> {
  const waiting: (() => void)[] = [];
  let running = false;

  function next(): void {
    waiting.shift()?.();
    running = waiting.length > 0;
    if (running) setImmediate(next);
  }

  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (running) return;
      running = true;
      setImmediate(next);
    });
}
