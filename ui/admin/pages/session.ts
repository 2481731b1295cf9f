// One session: who, where, how much, and how it ended.
import { useEffect, useState } from 'preact/hooks';
import { exactTime, formatElapsed, formatMsisdn, formatOctets } from '../../shared/format.ts';
import { html } from '../../shared/html.ts';
import { useLive } from '../live.ts';
import { useLoad } from '../load.ts';
import { Button, Card, Facts, Failure, Loading, PageHead, State, Time } from '../parts/basics.ts';
import { disconnect, disconnectAnswer } from '../parts/disconnect.ts';
import { changeAnswer, endWords, plainDetail } from '../parts/session-words.ts';
import { canDisconnect } from '../roles.ts';
import { useMe } from '../signed-in.ts';
import type { Session } from '../types.ts';

const POLL_MS = 1000;

export function SessionPage({ id }: { id: string }) {
  const may = canDisconnect(useMe().account.role);
  const { data, error, reload, setData } = useLoad<Session>(`/sessions/${id}`);
  const [busy, setBusy] = useState(false);
  useLive('session', (event) => {
    if (event.id !== id) return;
    setData((now) => ({ ...now, ...event }));
    if (event.state === 'closed') reload();
  });
  const asked = data?.disconnect_state === 'requested';
  useEffect(() => {
    if (!asked) return;
    const timer = window.setInterval(reload, POLL_MS);
    return () => window.clearInterval(timer);
  }, [asked, reload]);

  if (!data) {
    return html`<${PageHead} title="Session" back="/sessions" /><div class="card">
      ${error ? html`<${Failure} error=${error} onRetry=${reload} />` : html`<${Loading} />`}</div>`;
  }
  const end = async () => {
    setBusy(true);
    const after = await disconnect(data);
    if (after) setData(() => after);
    setBusy(false);
  };
  const who = data.msisdn ? formatMsisdn(data.msisdn) : data.username;
  return html`<${PageHead} title=${who}
    sub=${html`<${State} state=${data.state} /> since ${exactTime(data.started_at)}`} back="/sessions">
      ${
        may &&
        data.state === 'open' &&
        html`<${Button} look="careful" busy=${busy || asked}
        onClick=${end}>Disconnect…<//>`
      }
    <//>
    ${
      data.disconnect_state &&
      html`<div class=${`banner ${tone(data)}`} role="status"><p><b>
    ${sentence(disconnectAnswer(data))}.</b> ${plainDetail(data.disconnect_detail)} <${Time} at=${data.disconnect_at}
      none="" /></p></div>`
    }
    ${
      data.gave_way_at !== null &&
      html`<div class="banner"><p><b>Another device took its place.</b> It no longer counts as one of the plan’s
        devices. <${Time} at=${data.gave_way_at} /></p></div>`
    }
    ${
      data.change_state !== null &&
      html`<div class=${`banner ${data.change_state === 'ack' ? '' : 'warn'}`}><p><b>${changeAnswer(data)}.</b>
        ${' '}${plainDetail(data.change_detail)} <${Time} at=${data.change_at} none="" /></p></div>`
    }
    <section class="figures small-figures" aria-label="Usage">
      <div class="figure"><span class="figure-label">Connected</span><b class="num">
      ${formatElapsed(data.session_seconds)}</b></div>
      <div class="figure"><span class="figure-label">Download</span><b class="num">
      ${formatOctets(data.download_octets)}</b></div>
      <div class="figure"><span class="figure-label">Upload</span><b class="num">
      ${formatOctets(data.upload_octets)}</b></div>
      <div class="figure"><span class="figure-label">${data.state === 'open' ? 'Ends' : 'Ended'}</span><b>
      <${Time} at=${data.state === 'open' ? data.ends_at : data.stopped_at} /></b></div>
    </section>
    <${Card} title="Details"><${Facts} pairs=${[
      ['User name', html`<code>${data.username}</code>`],
      [
        'Subscriber',
        data.subscriber_id &&
          html`<a href=${`/subscribers/${data.subscriber_id}`}>
            ${data.msisdn ? formatMsisdn(data.msisdn) : 'Open the subscriber'}</a>`,
      ],
      ['Plan', data.plan_name],
      ['Router', data.router_name],
      ['IP address', data.ip && html`<code>${data.ip}</code>`],
      [
        /^[0-9A-F:]{17}$/.test(data.mac ?? '') ? 'MAC address' : 'Calls from',
        data.mac && html`<code>${data.mac}</code>`,
      ],
      ['Started', html`<${Time} at=${data.started_at} />`],
      ['Last heard', html`<${Time} at=${data.updated_at} />`],
      [
        'Ended because',
        data.terminate_cause_name &&
          html`${endWords(data.terminate_cause_name)} <span class="muted">(${data.terminate_cause_name})</span>`,
      ],
    ]} /><//>`;
}

function tone(session: Session): string {
  if (session.disconnect_state === 'ack' || session.disconnect_state === 'api') return 'good';
  return session.disconnect_state === 'requested' ? 'warn' : 'bad';
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
