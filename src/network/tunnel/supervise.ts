// Keeps one tunnel program running: starts it, reads its address, asks from outside whether it works, starts it anew.
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { OWNER_MARK } from './leftovers.ts';
import type { ProgramCall } from './programs.ts';
import type { Reach } from './reach.ts';

export interface Pace {
  /** Between two questions from outside: until the first answer and after a failure, and while all is well. */
  soonMs: number;
  checkMs: number;
  /** Without an answer for so long the program is started anew. */
  patienceMs: number;
  /** After SIGTERM. */
  graceMs: number;
  /** Before the second, third … start in a row. */
  backoffMs: readonly number[];
  /** Having worked for so long, the next start is a first one again. */
  steadyMs: number;
}

/**
 * A quick tunnel has another address after each start, and notices sent to the old one are lost: patience is
 * long, since these programs connect again by themselves.
 */
export const PACE: Pace = {
  soonMs: 3000,
  checkMs: 60_000,
  patienceMs: 180_000,
  graceMs: 5000,
  backoffMs: [1000, 2000, 5000, 15_000, 60_000, 300_000],
  steadyMs: 600_000,
};

/** starting: no answer from outside yet; waiting: until it is started again. */
export type ProgramStage = 'starting' | 'up' | 'unreachable' | 'waiting' | 'stopped';

export interface ProgramState {
  stage: ProgramStage;
  url: string | null;
  problem: string | null;
  hint: string | null;
  pid: number | null;
  /** How often it was started. */
  starts: number;
  started_at: number | null;
  checked_at: number | null;
  reached_at: number | null;
  next_start_at: number | null;
  /** What it printed last. */
  lines: string[];
}

export const NOT_STARTED: Omit<ProgramState, 'stage'> = {
  url: null,
  problem: null,
  hint: null,
  pid: null,
  starts: 0,
  started_at: null,
  checked_at: null,
  reached_at: null,
  next_start_at: null,
  lines: [],
};

export interface Supervised {
  state(): ProgramState;
  /** Asks from outside now. */
  check(): Promise<Reach>;
  /** Resolves when the program has ended. */
  stop(): Promise<void>;
}

interface SuperviseOptions {
  call: ProgramCall;
  /** The environment that every program gets: PATH and HOME. */
  environment: Record<string, string>;
  /** Marks what we start as this box's. */
  owner: string;
  reach(url: string): Promise<Reach>;
  now(): number;
  monotonic(): number;
  pace?: Partial<Pace>;
  warn(message: string, fields: Record<string, unknown>): void;
}

const MOST_LINES = 40;
const LINE_LENGTH = 300;

function missing(program: string): { problem: string; hint: string } {
  return {
    problem: `The program “${program}” is not on this box.`,
    hint:
      program === 'cloudflared'
        ? 'Install cloudflared from Cloudflare’s packages.'
        : 'Install an ssh client.',
  };
}

/** Starts at once and keeps at it until stop(). */
export function supervise(options: SuperviseOptions): Supervised {
  const { call, now, monotonic } = options;
  const pace: Pace = { ...PACE, ...options.pace };
  const state: ProgramState = { ...NOT_STARTED, stage: 'starting', url: call.url };
  let stopped = false;
  let child: ChildProcess | undefined;
  let wake: () => void = () => undefined;

  /** Sleeps until the time is over, the program has ended or stop() was called. */
  function rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(done, ms);
      function done() {
        clearTimeout(timer);
        resolve();
      }
      wake = done;
    });
  }

  function hear(line: string): void {
    state.lines = [...state.lines, line.slice(0, LINE_LENGTH)].slice(-MOST_LINES);
    const found = call.url ? undefined : call.findUrl(line);
    if (found && found !== state.url) {
      state.url = found;
      wake();
    }
  }

  async function check(): Promise<Reach> {
    const { url } = state;
    if (!url) {
      return {
        ok: false,
        problem: `${call.program} has not said its address yet.`,
        hint: 'Look at its last lines.',
      };
    }
    const answer = await options.reach(url);
    state.checked_at = now();
    if (answer.ok) {
      state.reached_at = state.checked_at;
      state.problem = state.hint = null;
      if (child) state.stage = 'up';
    } else {
      state.problem = answer.problem;
      state.hint = answer.hint;
      if (state.stage === 'up') state.stage = 'unreachable';
    }
    return answer;
  }

  function signal(running: ChildProcess, name: NodeJS.Signals): void {
    if (running.pid === undefined) return;
    try {
      // Its whole group: ssh may have started a program to connect through.
      process.kill(-running.pid, name);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }

  async function end(running: ChildProcess, ended: Promise<unknown>): Promise<void> {
    signal(running, 'SIGTERM');
    const force = setTimeout(() => signal(running, 'SIGKILL'), pace.graceMs);
    await ended;
    clearTimeout(force);
    signal(running, 'SIGKILL');
  }

  /** One life of the program; whether it worked long enough to count as steady. */
  async function live(): Promise<boolean> {
    const startedAt = monotonic();
    let answeredAt = startedAt;
    let over = false;
    const running = spawn(call.program, call.args, {
      env: { ...options.environment, ...call.environment, [OWNER_MARK]: options.owner },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    child = running;
    Object.assign(state, {
      stage: 'starting',
      url: call.url,
      pid: running.pid ?? null,
      starts: state.starts + 1,
      started_at: now(),
      next_start_at: null,
    });
    for (const output of [running.stdout, running.stderr]) {
      createInterface({ input: output as NonNullable<typeof output> }).on('line', hear);
    }
    const ended = new Promise<void>((resolve) => {
      const done = (problem: string, hint: string) => {
        if (over) return;
        over = true;
        Object.assign(state, { problem, hint });
        resolve();
        wake();
      };
      running.on('error', (error: NodeJS.ErrnoException) => {
        const told = error.code === 'ENOENT' ? missing(call.program) : { problem: error.message, hint: '' };
        done(told.problem, told.hint);
      });
      running.on('exit', (code, name) =>
        done(`${call.program} ended by itself (${name ?? `exit code ${code}`}).`, 'Its last lines say why.'),
      );
    });
    while (!over && !stopped) {
      const well = state.url !== null && (await check()).ok;
      if (over || stopped) break;
      if (well) answeredAt = monotonic();
      else if (monotonic() - answeredAt >= pace.patienceMs) {
        options.warn('tunnel does not answer, started anew', {
          program: call.program,
          problem: state.problem,
        });
        await end(running, ended);
        state.problem = `Nothing came through ${call.program} for ${Math.round(pace.patienceMs / 1000)} seconds.`;
        state.hint = 'It is started anew. Its last lines may say why.';
        break;
      }
      await rest(well ? pace.checkMs : pace.soonMs);
    }
    if (stopped) await end(running, ended);
    child = undefined;
    state.pid = null;
    return answeredAt - startedAt >= pace.steadyMs;
  }

  async function run(): Promise<void> {
    let row = 0;
    while (!stopped) {
      const steady = await live();
      if (stopped) break;
      row = steady ? 0 : row;
      const pause = pace.backoffMs[Math.min(row, pace.backoffMs.length - 1)] as number;
      row += 1;
      options.warn('tunnel is down', { program: call.program, problem: state.problem, again_in_ms: pause });
      Object.assign(state, { stage: 'waiting', url: call.url, next_start_at: now() + pause });
      await rest(pause);
    }
    state.stage = 'stopped';
  }

  const running = run();
  return {
    state: () => ({ ...state, lines: [...state.lines] }),
    check,
    async stop() {
      stopped = true;
      wake();
      await running;
    },
  };
}
