// How cloudflared and ssh are called, and how their public address is read from what they print.
import type { TunnelSettings } from './settings.ts';

export interface ProgramCall {
  program: string;
  args: string[];
  /** Beside PATH and HOME; secrets go here, not into the arguments, which everybody on the machine can read. */
  environment: Record<string, string>;
  /** The public address where it is known beforehand. */
  url: string | null;
  /** The public address in a line of its output. */
  findUrl(line: string): string | undefined;
}

/**
 * A quick tunnel prints an address of its own under trycloudflare.com, another one at each start; a named tunnel takes its
 * token from TUNNEL_TOKEN and has the address that was given to it at Cloudflare, where its service is our callback door.
 */
export function cloudflaredCall(settings: TunnelSettings, port: number): ProgramCall {
  const target = `http://127.0.0.1:${port}`;
  const common = ['tunnel', '--no-autoupdate'];
  if (settings.cloudflared_token) {
    return {
      program: 'cloudflared',
      args: [...common, 'run'],
      environment: { TUNNEL_TOKEN: settings.cloudflared_token },
      url: settings.url,
      findUrl: () => undefined,
    };
  }
  return {
    program: 'cloudflared',
    args: [...common, '--url', target],
    environment: {},
    url: null,
    // Its API host stands in lines of errors.
    findUrl: (line) => /https:\/\/(?!api\.)[a-z0-9-]+\.trycloudflare\.com/.exec(line)?.[0],
  };
}

/**
 * `ssh -N -R`: fails at once when the port is taken, notices a dead connection within a minute, never asks anything. The
 * server's key is taken at the first time and held to afterwards, in a file of our own.
 */
export function sshCall(settings: TunnelSettings, port: number, knownHosts: string): ProgramCall {
  const host = settings.ssh_host as string;
  const options = [
    'BatchMode=yes',
    'ExitOnForwardFailure=yes',
    'ServerAliveInterval=15',
    'ServerAliveCountMax=3',
    'ConnectTimeout=15',
    'StrictHostKeyChecking=accept-new',
    `UserKnownHostsFile=${knownHosts}`,
    'ControlMaster=no',
    'ControlPath=none',
  ];
  return {
    program: 'ssh',
    args: [
      '-N',
      '-T',
      ...options.flatMap((option) => ['-o', option]),
      '-p',
      String(settings.ssh_port),
      ...(settings.ssh_identity_file ? ['-i', settings.ssh_identity_file] : []),
      '-R',
      `${settings.ssh_remote_port}:127.0.0.1:${port}`,
      ...(settings.ssh_user ? ['-l', settings.ssh_user] : []),
      '--',
      host,
    ],
    environment: {},
    url: settings.url,
    findUrl(line) {
      const printed = /https:\/\/[a-z0-9][a-z0-9.-]*\.[a-z]{2,}(:\d+)?/.exec(line)?.[0];
      if (printed) return printed;
      // OpenSSH's own words for a port that it was left to choose.
      const chosen = /Allocated port (\d+) for remote forward/.exec(line)?.[1];
      return chosen && `http://${host}:${chosen}`;
    },
  };
}
