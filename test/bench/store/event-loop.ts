// Watches how long this process's main thread keeps others waiting, and on what: its own work, the disk, or other programs.
import { readFileSync } from 'node:fs';

/** A turn of the event loop that took longer is written down. */
const LONG_MS = 5;

export interface LongTurn {
  ms: number;
  /** Time on the processor: our own work, or the collector's. */
  workMs: number;
  /** Ready to run, while another program had the processor. */
  queuedMs: number;
}

export interface LoopWatch {
  /** The long turns since the last call, the longest work first. */
  take(): LongTurn[];
}

/** Time that this process's main thread has had on the processor, as watchEventLoop knows it. */
export function mainThreadMs(): number {
  return Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6;
}

/** On Linux, from the scheduler's own figures (/proc/PID/task/TID/schedstat: nanoseconds run, nanoseconds waited). */
export function watchEventLoop(): LoopWatch {
  const file = `/proc/self/task/${process.pid}/schedstat`;
  const read = () => {
    const [ran = 0, waited = 0] = readFileSync(file, 'utf8').split(' ').map(Number);
    return { at: performance.now(), ran: ran / 1e6, waited: waited / 1e6 };
  };
  let long: LongTurn[] = [];
  let last = read();
  const turn = () => {
    const now = read();
    const ms = now.at - last.at - 1;
    if (ms > LONG_MS) long.push({ ms, workMs: now.ran - last.ran, queuedMs: now.waited - last.waited });
    last = now;
    setTimeout(turn, 1).unref();
  };
  turn();
  return {
    take() {
      const taken = long.sort((a, b) => b.workMs - a.workMs);
      long = [];
      return taken;
    },
  };
}
