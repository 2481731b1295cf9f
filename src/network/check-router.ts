// The Test button of a router: each step to it, what failed, what to do.
import { errorText } from '../errors.ts';
import { type RouterClient, RouterOsError } from '../protocols/routeros/client.ts';
import {
  clockTime,
  deviceMode,
  identity,
  radiusIncoming,
  radiusRows,
  resource,
} from '../protocols/routeros/device.ts';
import { isPrefix } from './addresses.ts';
import { type RouterApi, withRouter } from './router-api.ts';

export interface CheckStep {
  step: string;
  ok: boolean;
  message: string;
  hint?: string;
}

export interface RouterCheck {
  steps: CheckStep[];
  /** What the router says of itself; absent when it was not reached. */
  seen?: { identity: string; version: string; board: string };
  /** How long it has been up; absent when it did not say. */
  uptime_seconds?: number;
  /** What its clock shows, epoch ms; absent when it did not say. */
  clock_at?: number;
}

const FAILED: Record<string, { step: string; hint: string }> = {
  cannot_connect: {
    step: 'connect',
    hint: 'Is the router on, is the address right, and is the API service on? On the router: /ip service set api disabled=no',
  },
  tls_failed: {
    step: 'connect',
    hint: 'api-ssl needs a certificate on the router. Give it one, or use the plain API inside a tunnel (port 8728).',
  },
  login_refused: {
    step: 'login',
    hint: 'Check the API user name and password, and that the user’s group has the policies api, read, write.',
  },
  timed_out: { step: 'connect', hint: 'The router did not answer in time. Check the cable or the tunnel.' },
};

function failedStep(error: unknown): CheckStep {
  const known = error instanceof RouterOsError ? FAILED[error.code] : undefined;
  const step: CheckStep = { step: known?.step ?? 'command', ok: false, message: errorText(error) };
  return known ? { ...step, hint: known.hint } : step;
}

async function checkRadius(client: RouterClient, authPort: number): Promise<CheckStep[]> {
  const hint = 'Paste the lines shown under “Set up the router”.';
  const rows = (await radiusRows(client)).filter((row) => !row.disabled && row.services.includes('hotspot'));
  const incoming = await radiusIncoming(client);
  const right = rows.find((row) => row.authenticationPort === authPort);
  return [
    right
      ? { step: 'radius', ok: true, message: `Asks RADIUS at ${right.address}.` }
      : { step: 'radius', ok: false, message: `No RADIUS server for hotspot on port ${authPort}.`, hint },
    incoming.accept
      ? { step: 'disconnect', ok: true, message: `Lets Karibu end sessions (port ${incoming.port}).` }
      : { step: 'disconnect', ok: false, message: 'Does not let Karibu end sessions.', hint },
  ];
}

/**
 * Goes to the router step by step; never throws. Without API access only says so: RADIUS works without it.
 * `authPort` is where this box listens for Access-Requests.
 */
export async function checkRouter(api: RouterApi | undefined, authPort: number): Promise<RouterCheck> {
  if (!api) {
    const message = 'No API user is set, so the router can only be heard, not asked.';
    return {
      steps: [
        { step: 'connect', ok: false, message, hint: 'Add the API user and password to test the router.' },
      ],
    };
  }
  if (isPrefix(api.address)) {
    const message = 'This is a range of addresses: its routers can be heard, but none of them asked.';
    return {
      steps: [
        { step: 'connect', ok: false, message, hint: 'To test a router, add it by its own address as well.' },
      ],
    };
  }
  try {
    return await withRouter(api, async (client) => {
      const name = await identity(client);
      const { version, boardName, uptimeSeconds } = await resource(client);
      const steps: CheckStep[] = [
        { step: 'connect', ok: true, message: `Reached ${api.address}:${api.api_port}.` },
        { step: 'login', ok: true, message: `Signed in as ${api.api_username}.` },
        { step: 'identity', ok: true, message: `“${name}”, ${boardName}, RouterOS ${version}.` },
      ];
      const mode = await deviceMode(client);
      if (mode && !mode.hotspotAllowed) {
        steps.push({
          step: 'device-mode',
          ok: false,
          message: `Device mode “${mode.mode}” forbids hotspots.`,
          hint: 'Run /system/device-mode/update mode=advanced, then press the reset button or cut the power within 5 minutes.',
        });
      }
      steps.push(...(await checkRadius(client, authPort)));
      const clock_at = await clockTime(client);
      return {
        steps,
        seen: { identity: name, version, board: boardName },
        ...(uptimeSeconds === undefined ? {} : { uptime_seconds: uptimeSeconds }),
        ...(clock_at === undefined ? {} : { clock_at }),
      };
    });
  } catch (error) {
    return { steps: [failedStep(error)] };
  }
}
