// FreeRADIUS's radclient, an independent NAS, against our server.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { attribute, getInteger, getString } from '../../../src/protocols/radius/attributes.ts';
import { AcctStatusType } from '../../../src/protocols/radius/dictionary.ts';
import { Code, type Packet } from '../../../src/protocols/radius/packet.ts';
import { checkPassword, passwordMethod } from '../../../src/protocols/radius/passwords.ts';
import { createRadiusServer, type RadiusServer } from '../../../src/protocols/radius/server.ts';

const program = '/usr/bin/radclient';
const present = existsSync(program);
if (!present) console.log(`skipped: ${program} is not installed (Debian package freeradius-utils)`);

const secret = 'testing123';
const seen: Packet[] = [];
let server: RadiusServer;
let ports: { auth: number; acct: number };

beforeAll(async () => {
  server = createRadiusServer({
    authListen: { host: '127.0.0.1', port: 0 },
    acctListen: { host: '127.0.0.1', port: 0 },
    findClient: () => ({ id: 'radclient', secret: Buffer.from(secret), requireMessageAuthenticator: 'auto' }),
    onAccess: (request) => {
      seen.push(request);
      return checkPassword(request, Buffer.from(secret), 'siri kubwa')
        ? {
            code: Code.AccessAccept,
            attributes: [
              attribute('Session-Timeout', 3600),
              attribute('Mikrotik-Rate-Limit', '2M/5M'),
              attribute('Mikrotik-Total-Limit-Gigawords', 1),
              attribute('Framed-IP-Address', '10.5.50.2'),
              attribute('Class', 'token'),
            ],
          }
        : { code: Code.AccessReject, attributes: [attribute('Reply-Message', 'Wrong password')] };
    },
    onAccounting: (request) => {
      seen.push(request);
      return { code: Code.AccountingResponse, attributes: [] };
    },
    onError: (error) => {
      throw error;
    },
  });
  const bound = await server.start();
  ports = { auth: bound.auth.port, acct: bound.acct.port };
});
afterAll(() => server.stop());

/** Runs radclient once; it verifies the reply itself and says so by its exit code. */
function radclient(command: 'auth' | 'acct' | 'status', port: number, input: string, withSecret = secret) {
  return new Promise<{ code: number; output: string }>((resolve) => {
    const args = ['-x', '-r', '1', '-t', '1', `127.0.0.1:${port}`, command, withSecret];
    const child = execFile(program, args, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, output: stdout + stderr }),
    );
    // A program may end without reading its input; its output tells all there is.
    child.stdin!.on('error', () => undefined);
    child.stdin!.end(input);
  });
}

describe.skipIf(!present)('radclient', () => {
  test.each([
    ['User-Password', 'pap'],
    ['CHAP-Password', 'chap'],
  ])('logs in with %s and reads every attribute of the Accept', async (name, method) => {
    const { code, output } = await radclient(
      'auth',
      ports.auth,
      `User-Name = "amina", ${name} = "siri kubwa"`,
    );
    expect(output).toContain('Received Access-Accept');
    expect(code).toBe(0);
    for (const line of [
      'Session-Timeout = 3600',
      'Mikrotik-Rate-Limit = "2M/5M"',
      'Mikrotik-Total-Limit-Gigawords = 1',
      'Framed-IP-Address = 10.5.50.2',
      'Class = 0x746f6b656e',
      'Message-Authenticator = 0x',
    ]) {
      expect(output).toContain(line);
    }
    expect(passwordMethod(seen.at(-1)!)).toBe(method);
    expect(getString(seen.at(-1)!, 'User-Name')).toBe('amina');
  });

  test.each(['User-Password', 'CHAP-Password'])('is rejected with a wrong %s', async (name) => {
    const { code, output } = await radclient(
      'auth',
      ports.auth,
      `User-Name = "amina", ${name} = "siri ndogo"`,
    );
    expect(output).toContain('Received Access-Reject');
    expect(output).toContain('Reply-Message = "Wrong password"');
    expect(code).toBe(1);
  });

  test('signs with Message-Authenticator, which is right', async () => {
    const input = 'User-Name = "amina", User-Password = "siri kubwa", Message-Authenticator = 0x00';
    const { output } = await radclient('auth', ports.auth, input);
    expect(output).toContain('Received Access-Accept');
    expect(seen.at(-1)!.messageAuthenticatorAt).toBeGreaterThan(0);
  });

  test('has its accounting acknowledged', async () => {
    const input = [
      'Acct-Status-Type = Interim-Update',
      'Acct-Session-Id = "80100014"',
      'Acct-Input-Octets = 4294967295',
      'Acct-Output-Gigawords = 2',
      'Mikrotik-Host-IP = 10.5.50.2',
    ].join(', ');
    const { code, output } = await radclient('acct', ports.acct, input);
    expect(output).toContain('Received Accounting-Response');
    expect(code).toBe(0);
    const request = seen.at(-1)!;
    expect(getInteger(request, 'Acct-Status-Type')).toBe(AcctStatusType['Interim-Update']);
    expect(getInteger(request, 'Acct-Input-Octets')).toBe(4294967295);
    expect(getInteger(request, 'Acct-Output-Gigawords')).toBe(2);
  });

  test('finds the server alive on both ports', async () => {
    const input = 'Message-Authenticator = 0x00';
    expect((await radclient('status', ports.auth, input)).output).toContain('Received Access-Accept');
    expect((await radclient('status', ports.acct, input)).output).toContain('Received Accounting-Response');
  });

  test('gets silence with another secret', async () => {
    const input = 'Acct-Status-Type = Start, Acct-Session-Id = "1"';
    const before = server.counters.silences.request_authenticator_wrong;
    const { code, output } = await radclient('acct', ports.acct, input, 'another');
    expect(output).toContain('No reply from server');
    expect(code).toBe(1);
    expect(server.counters.silences.request_authenticator_wrong).toBe(before + 1);
  });
});
