// Disconnecting a session, and what its router answered.
import { formatMsisdn } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { post } from '../api.ts';
import type { Session } from '../types.ts';
import { ask } from './dialog.ts';
import { tellFailure } from './toast.ts';

const ANSWERS: Record<NonNullable<Session['disconnect_state']>, string> = {
  requested: 'asked the router to disconnect',
  ack: 'the router disconnected it',
  nak: 'the router refused',
  timeout: 'the router did not answer',
  api: 'disconnected through the router’s API',
  failed: 'could not be disconnected',
};

/** The router's answer as a sentence without its capital. */
export function disconnectAnswer(session: Session): string {
  return session.disconnect_state ? ANSWERS[session.disconnect_state] : '';
}

/** Asks first, then disconnects. Answers the session as it is afterwards, or undefined. */
export async function disconnect(session: Session): Promise<Session | undefined> {
  const who = session.msisdn ? formatMsisdn(session.msisdn) : session.username;
  const sure = await ask({
    title: `Disconnect ${who}?`,
    body: html`<p>The session on <b>${session.router_name ?? 'the router'}
      </b> ends now. What is left of the entitlement stays: the guest may sign in again.</p>`,
    confirm: 'Disconnect',
  });
  if (!sure) return undefined;
  try {
    return await post<Session>(`/sessions/${session.id}/disconnect`);
  } catch (failure) {
    tellFailure(failure);
    return undefined;
  }
}
