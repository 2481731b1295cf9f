// Runs FreeRADIUS with the same users in SQLite, as the peer of a measurement.
import { Database } from 'bun:sqlite';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Guest } from './requests.ts';

const PROGRAM = '/usr/sbin/freeradius';
const CONFIG = '/etc/freeradius/3.0/mods-config/sql/main/sqlite';
const PLUGINS = '/usr/lib/freeradius';

export function hasFreeradius(): boolean {
  return (
    existsSync(PROGRAM) &&
    existsSync(join(CONFIG, 'queries.conf')) &&
    existsSync(`${PLUGINS}/rlm_sql_sqlite.so`)
  );
}

async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}

/** What our Accept says, in its tables: the password, and two attributes to answer with; no groups, which it spares. */
function fillTables(file: string, guests: Iterable<Guest>): void {
  const database = new Database(file, { create: true });
  database.run('pragma synchronous = OFF');
  database.run(readFileSync(join(CONFIG, 'schema.sql'), 'utf8'));
  const check = database.prepare(
    "insert into radcheck (username, attribute, op, value) values (?, 'Cleartext-Password', ':=', ?)",
  );
  const reply = database.prepare(
    "insert into radreply (username, attribute, op, value) values (?, ?, ':=', ?)",
  );
  database.run('begin');
  for (const guest of guests) {
    check.run(guest.username, guest.password);
    reply.run(guest.username, 'Session-Timeout', '3600');
    reply.run(guest.username, 'Mikrotik-Rate-Limit', '2M/5M');
  }
  database.run('commit');
  // A read does not wait for a write, and an answer comes after the flush: as in our own store.
  database.run('pragma journal_mode = WAL');
  database.close();
}

function configuration(folder: string, auth: number, acct: number, secret: string): string {
  return `
prefix = /usr
logdir = ${folder}
raddbdir = ${folder}
run_dir = ${folder}
libdir = ${PLUGINS}
pidfile = ${folder}/pid
max_requests = 262144
cleanup_delay = 0
hostname_lookups = no
log { destination = files
  file = ${folder}/log
  auth = no }
security { max_attributes = 200
  reject_delay = 0
  status_server = no }
thread pool { start_servers = 8
  max_servers = 8
  min_spare_servers = 3
  max_spare_servers = 8
  max_requests_per_server = 0 }
client loopback { ipaddr = 127.0.0.1
  secret = ${secret} }
instantiate {
  expr
}
modules {
  expr { }
  pap { }
  chap { }
  sql {
    driver = "rlm_sql_sqlite"
    dialect = "sqlite"
    sqlite { filename = "${folder}/radius.db"
      busy_timeout = 5000 }
    radius_db = "radius"
    acct_table1 = "radacct"
    acct_table2 = "radacct"
    postauth_table = "radpostauth"
    client_table = "nas"
    authcheck_table = "radcheck"
    authreply_table = "radreply"
    groupcheck_table = "radgroupcheck"
    groupreply_table = "radgroupreply"
    usergroup_table = "radusergroup"
    read_groups = no
    read_profiles = no
    delete_stale_sessions = yes
    pool { start = 8
      min = 8
      max = 8
      spare = 0
      uses = 0
      lifetime = 0
      idle_timeout = 0 }
    group_attribute = "SQL-Group"
    $INCLUDE ${CONFIG}/queries.conf
  }
}
server bench {
  listen { type = auth
    ipaddr = 127.0.0.1
    port = ${auth} }
  listen { type = acct
    ipaddr = 127.0.0.1
    port = ${acct} }
  authorize {
    chap
    sql
    pap
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
  }
  preacct { }
  accounting {
    sql
  }
  post-auth { }
}
`;
}

export interface Freeradius {
  auth: number;
  acct: number;
  /** Processor time it has used so far, microseconds. */
  cpuMicros(): number;
  stop(): Promise<void>;
}

/** Starts it in the foreground on loopback ports, in a folder of its own; resolves when it says that it is ready. */
export async function startFreeradius(
  folder: string,
  guests: Iterable<Guest>,
  secret: string,
): Promise<Freeradius> {
  mkdirSync(folder, { recursive: true });
  fillTables(join(folder, 'radius.db'), guests);
  const [auth, acct] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'radiusd.conf'), configuration(folder, auth, acct, secret), { mode: 0o600 });
  writeFileSync(join(folder, 'dictionary'), '$INCLUDE /usr/share/freeradius/dictionary\n');
  const child = spawn(PROGRAM, ['-f', '-d', folder, '-n', 'radiusd'], { stdio: 'ignore' });
  const log = () => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '');
  const until = performance.now() + 20_000;
  while (!log().includes('Ready to process requests')) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill();
      throw new Error(`FreeRADIUS did not start: ${log().slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return { auth, acct, cpuMicros: () => cpuOf(child), stop: () => stop(child) };
}

/** From /proc/PID/stat: fields 14 and 15 in ticks of 10 ms. */
function cpuOf(child: ChildProcess): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  child.kill('SIGTERM');
  await gone;
}
