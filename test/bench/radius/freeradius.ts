// Runs FreeRADIUS with the same users and as many sessions, as the peer of a measurement.
import { Database } from 'bun:sqlite';
import { type ChildProcess, spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Mariadb, startMariadb } from './mariadb.ts';
import type { Guest } from './requests.ts';

const PROGRAM = '/usr/sbin/freeradius';
const PACKAGED = '/etc/freeradius/3.0';
const CONFIG = `${PACKAGED}/mods-config/sql/main`;
const PLUGINS = '/usr/lib/freeradius';

export function hasFreeradius(): boolean {
  return (
    existsSync(PROGRAM) &&
    existsSync(join(CONFIG, 'sqlite/queries.conf')) &&
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

export interface Peer {
  /** `sqlite` with WAL as our own store has it, or as Debian's package leaves it; `mariadb` with its own settings. */
  store: 'sqlite' | 'sqlite_as_packaged' | 'mariadb';
  /** What an operator configures for what Karibu checks: an end, the devices at once, the plan as a group. */
  checks: boolean;
  /**
   * The modules that Debian's site asks for each request, and SQL with its settings as they are packaged, groups included.
   * Without its log of each sign-in, a commit for each answer; otherwise only what the measurement needs is asked.
   */
  site?: 'as_packaged';
  /** Sessions that are over, in the table beforehand. */
  sessions: number;
}

/**
 * What our Accept says, in its tables: the password, and two attributes to answer with. With checks the rate comes from
 * the plan's group, and each guest has an end and a number of devices.
 */
function fillUsers(file: string, guests: Iterable<Guest>, checks: boolean): void {
  const database = new Database(file, { create: true });
  database.run('pragma synchronous = OFF');
  database.run(readFileSync(join(CONFIG, 'sqlite/schema.sql'), 'utf8'));
  const check = database.prepare(
    "insert into radcheck (username, attribute, op, value) values (?, ?, ':=', ?)",
  );
  const reply = database.prepare(
    "insert into radreply (username, attribute, op, value) values (?, ?, ':=', ?)",
  );
  const member = database.prepare(
    "insert into radusergroup (username, groupname, priority) values (?, 'day', 1)",
  );
  database.run('begin');
  for (const guest of guests) {
    check.run(guest.username, 'Cleartext-Password', guest.password);
    reply.run(guest.username, 'Session-Timeout', '3600');
    if (checks) {
      check.run(guest.username, 'Expiration', '31 Dec 2037 23:59:59');
      check.run(guest.username, 'Simultaneous-Use', '1');
      member.run(guest.username);
    } else {
      reply.run(guest.username, 'Mikrotik-Rate-Limit', '2M/5M');
    }
  }
  database.run(
    "insert into radgroupreply (groupname, attribute, op, value) values ('day', 'Mikrotik-Rate-Limit', ':=', '2M/5M')",
  );
  database.run('commit');
  database.close();
}

const PAST = "'2026-11-01 10:00:00'";
/** Sessions of the guest whose number in the list is this one's, over all of them. */
const PAST_COLUMNS =
  'acctsessionid, acctuniqueid, username, nasipaddress, acctstarttime, acctupdatetime, acctstoptime, ' +
  'acctsessiontime, acctinputoctets, acctoutputoctets, callingstationid, framedipaddress';

function fillSqliteSessions(file: string, sessions: number, packaged: boolean): void {
  const database = new Database(file, { readwrite: true });
  database.run('pragma synchronous = OFF');
  const users = database.query<{ n: number }, []>('select count(*) as n from radcheck').get()?.n ?? 1;
  database.run(
    `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sessions})
     insert into radacct (${PAST_COLUMNS})
     select printf('8%07x', i), lower(hex(randomblob(16))), (select username from radcheck where id = 1 + i % ${users}),
       '10.99.0.2', ${PAST}, ${PAST}, ${PAST}, 3600, 1000, 2000, '40:D3:AE:04:32:0C', '10.5.50.2' from n`,
  );
  // A read does not wait for a write, and an answer comes after the flush: as in our own store.
  if (!packaged) database.run('pragma journal_mode = WAL');
  database.close();
}

function fillMariadbSessions(mariadb: Mariadb, guests: Guest[], sessions: number): void {
  mariadb.run('create database radius');
  mariadb.run(readFileSync(join(CONFIG, 'mysql/schema.sql'), 'utf8'), 'radius');
  mariadb.run('create table guests (i int primary key, username varchar(64))', 'radius');
  const rows = guests.map((guest, i) => `(${i}, '${guest.username}')`);
  while (rows.length > 0)
    mariadb.run(`insert into guests values ${rows.splice(0, 10_000).join(',')}`, 'radius');
  mariadb.run(
    `insert into radacct (${PAST_COLUMNS})
     select concat('8', lower(lpad(hex(seq), 7, '0'))), md5(concat(seq, rand())), g.username, '10.99.0.2',
       ${PAST}, ${PAST}, ${PAST}, 3600, 1000, 2000, '40:D3:AE:04:32:0C', '10.5.50.2'
     from seq_1_to_${sessions} join guests g on g.i = seq % ${guests.length}`,
    'radius',
  );
}

function driverOf(folder: string, store: Peer['store'], sqlPort: number): string {
  if (store === 'mariadb') {
    return `driver = "rlm_sql_mysql"
    dialect = "mysql"
    server = "127.0.0.1"
    port = ${sqlPort}
    login = "root"
    password = ""`;
  }
  return `driver = "rlm_sql_sqlite"
    dialect = "sqlite"
    sqlite { filename = "${folder}/radius.db"
      busy_timeout = 5000 }`;
}

interface Ports {
  auth: number;
  acct: number;
  sql: number;
}

function configuration(
  folder: string,
  { auth, acct, sql: sqlPort }: Ports,
  secret: string,
  peer: Peer,
): string {
  const dialect = peer.store === 'mariadb' ? 'mysql' : 'sqlite';
  const packaged = peer.site === 'as_packaged';
  return `
prefix = /usr
confdir = ${PACKAGED}
modconfdir = ${PACKAGED}/mods-config
certdir = ${PACKAGED}/certs
cadir = ${PACKAGED}/certs
radacctdir = ${folder}
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
${packaged ? `$INCLUDE ${PACKAGED}/proxy.conf` : ''}
modules {
  ${packaged ? `$INCLUDE ${PACKAGED}/mods-enabled/` : 'expr { }\n  pap { }\n  chap { }\n  expiration { }'}
  sql {
    ${driverOf(folder, peer.store, sqlPort)}
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
    read_groups = ${peer.checks || packaged ? 'yes' : 'no'}
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
    $INCLUDE ${CONFIG}/${dialect}/queries.conf
  }
}
${packaged ? `policy {\n  $INCLUDE ${PACKAGED}/policy.d/\n}` : ''}
server bench {
  listen { type = auth
    ipaddr = 127.0.0.1
    port = ${auth} }
  listen { type = acct
    ipaddr = 127.0.0.1
    port = ${acct} }
  authorize {
    ${packaged ? 'filter_username\n    preprocess' : ''}
    chap
    ${packaged ? 'mschap\n    digest\n    suffix\n    eap {\n      ok = return\n    }\n    files' : ''}
    sql
    ${peer.checks || packaged ? 'expiration' : ''}
    ${packaged ? 'logintime' : ''}
    pap
  }
  session {
    ${peer.checks ? 'sql' : ''}
  }
  authenticate {
    Auth-Type PAP {
      pap
    }
    Auth-Type CHAP {
      chap
    }
    ${packaged ? 'Auth-Type MS-CHAP {\n      mschap\n    }\n    mschap\n    digest\n    eap' : ''}
  }
  preacct { }
  accounting {
    sql
  }
  post-auth { ${packaged ? '\n    exec\n    remove_reply_message_if_eap\n  ' : ''}}
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
  guests: Guest[],
  secret: string,
  peer: Peer,
  environment: Record<string, string> = {},
): Promise<Freeradius> {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, 'radius.db');
  const sqlPort = await freePort();
  const mariadb =
    peer.store === 'mariadb' ? await startMariadb(join(folder, 'mariadb'), sqlPort, cpuOf) : undefined;
  if (mariadb) {
    fillMariadbSessions(mariadb, guests, peer.sessions);
  } else {
    fillUsers(file, guests, peer.checks);
    fillSqliteSessions(file, peer.sessions, peer.store === 'sqlite_as_packaged');
  }
  const [auth, acct] = [await freePort(), await freePort()];
  writeFileSync(
    join(folder, 'radiusd.conf'),
    configuration(folder, { auth, acct, sql: sqlPort }, secret, peer),
    {
      mode: 0o600,
    },
  );
  writeFileSync(join(folder, 'dictionary'), '$INCLUDE /usr/share/freeradius/dictionary\n');
  const child = spawn(PROGRAM, ['-f', '-d', folder, '-n', 'radiusd'], {
    stdio: 'ignore',
    env: { ...process.env, ...environment },
  });
  const log = () => (existsSync(join(folder, 'log')) ? readFileSync(join(folder, 'log'), 'utf8') : '');
  const until = performance.now() + 20_000;
  while (!log().includes('Ready to process requests')) {
    if (child.exitCode !== null || performance.now() > until) {
      child.kill();
      await mariadb?.stop();
      throw new Error(`FreeRADIUS did not start: ${log().slice(-2000)}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return {
    auth,
    acct,
    cpuMicros: () => cpuOf(child) + (mariadb?.cpuMicros() ?? 0),
    async stop() {
      await stop(child);
      await mariadb?.stop();
    },
  };
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
