// The small pieces that every page is made of.
import { useEffect, useState } from 'preact/hooks';
import { exactTime, formatMoney, formatWord, relativeTime } from '../../shared/format.ts';
import { type ComponentChildren, html } from '../../shared/html.ts';
import type { ApiError } from '../api.ts';
import { Icon, type IconName } from './icon.ts';

interface ButtonProps {
  children?: ComponentChildren;
  icon?: IconName;
  look?: 'primary' | 'plain' | 'quiet' | 'careful' | 'danger';
  busy?: boolean;
  disabled?: boolean;
  type?: 'button' | 'submit';
  label?: string;
  class?: string;
  onClick?: (event: MouseEvent) => void;
}

/** `label` names a button that shows only an icon. */
export function Button(props: ButtonProps) {
  const {
    children,
    icon,
    look = 'plain',
    busy = false,
    disabled = false,
    type = 'button',
    label,
    onClick,
  } = props;
  return html`<button
    type=${type}
    class=${`button ${look} ${children ? '' : 'icon-only'} ${props.class ?? ''}`}
    disabled=${disabled || busy}
    aria-busy=${busy}
    aria-label=${label}
    title=${label}
    onClick=${onClick}
  >
    ${busy ? html`<span class="spinner" aria-hidden="true"></span>` : icon && html`<${Icon} name=${icon} />`}
    ${children && html`<span>${children}</span>`}
  </button>`;
}

/** A link that looks like a button. */
export function LinkButton(props: {
  href: string;
  icon?: IconName;
  look?: string;
  label?: string;
  download?: boolean;
  target?: string;
  children?: ComponentChildren;
}) {
  const { href, icon, look = 'plain', children, label, download, target } = props;
  return html`<a class=${`button ${look} ${children ? '' : 'icon-only'}`} href=${href} download=${download}
    target=${target} aria-label=${label} title=${label}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}
  </a>`;
}

const TONES: Record<string, 'good' | 'warn' | 'bad'> = {
  active: 'good',
  paid: 'good',
  settled: 'good',
  online: 'good',
  ready: 'good',
  open: 'good',
  accept: 'good',
  on_sale: 'good',
  unused: 'good',
  ack: 'good',
  pending: 'warn',
  checking: 'warn',
  making: 'warn',
  waiting: 'warn',
  unmatched: 'warn',
  requested: 'warn',
  failed: 'bad',
  revoked: 'bad',
  offline: 'bad',
  suspended: 'bad',
  reject: 'bad',
  reversed: 'bad',
  disabled: 'bad',
  nak: 'bad',
  timeout: 'bad',
};

/** A state's own word with a dot in its tone; `word` replaces the word, not the tone. */
export function State({ state, word }: { state: string; word?: string }) {
  return html`<span class=${`state ${TONES[state] ?? 'neutral'}`}><i></i>${word ?? formatWord(state)}</span>`;
}

export function Money({ cents }: { cents: number }) {
  return html`<span class="num money">${formatMoney(cents)}</span>`;
}

/** The M-PESA code; a payment proved by a query alone gets it later, from a callback or a statement. */
export function Receipt({ receipt }: { receipt: string | null }) {
  return receipt === null ? html`<span class="muted">receipt to come</span>` : html`<code>${receipt}</code>`;
}

const TICK_MS = 15_000;

/** The time now, again every quarter of a minute. */
export function useNow(every: number = TICK_MS): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = window.setInterval(() => setNow(Date.now()), every);
    return () => window.clearInterval(timer);
  }, [every]);
  return now;
}

/** A moment, relative, with the exact one on hover. */
export function Time({ at, none = '–' }: { at: number | null | undefined; none?: string }) {
  const now = useNow();
  if (at === null || at === undefined) return html`<span class="muted">${none}</span>`;
  return html`<time datetime=${new Date(at).toISOString()} title=${exactTime(at)}>${relativeTime(at, now)}
    </time>`;
}

export function PageHead(props: {
  title: string;
  sub?: ComponentChildren;
  back?: string;
  children?: ComponentChildren;
}) {
  useEffect(() => {
    document.title = `${props.title} · Karibu`;
  }, [props.title]);
  return html`<header class="page-head">
    ${props.back && html`<${LinkButton} href=${props.back} icon="back" look="quiet" label="Back" />`}
    <div class="page-title"><h1>${props.title}</h1>${props.sub && html`<p class="muted">${props.sub}</p>`}
    </div>
    ${props.children && html`<div class="actions">${props.children}</div>`}
  </header>`;
}

/** Nothing to show: says why, and offers what to do. */
export function Empty(props: { icon: IconName; title: string; children?: ComponentChildren }) {
  return html`<div class="empty"><${Icon} name=${props.icon} /><p class="empty-title">${props.title}</p>
    ${props.children}</div>`;
}

/** What went wrong and a way to try again, where another try may find what is not there now. */
export function Failure({ error, onRetry }: { error: ApiError; onRetry?: () => void }) {
  return html`<div class="empty failure" role="alert">
    <${Icon} name=${error.status === 0 ? 'offline' : 'warning'} />
    <p class="empty-title">${error.message}</p>
    ${error.hint && html`<p class="muted">${error.hint}</p>`}
    ${onRetry && error.status !== 404 && html`<${Button} icon="refresh" onClick=${onRetry}>Retry<//>`}
  </div>`;
}

export function Loading({ rows = 6 }: { rows?: number }) {
  return html`<div class="skeleton" role="status" aria-label="Loading">
    ${Array.from({ length: rows }, (_, index) => html`<div key=${index}><span></span><span></span></div>`)}
  </div>`;
}

/** A surface with an optional heading and something at its right. */
export function Card(props: {
  title?: ComponentChildren;
  aside?: ComponentChildren;
  class?: string;
  children?: ComponentChildren;
}) {
  return html`<section class=${`card ${props.class ?? ''}`}>
    ${
      (props.title || props.aside) &&
      html`<header class="card-head"><h2>${props.title}</h2>${props.aside}
    </header>`
    }
    ${props.children}
  </section>`;
}

/** Names and values of one thing. Pairs whose value is undefined are left out. */
export function Facts({ pairs }: { pairs: [string, ComponentChildren | undefined][] }) {
  const shown = pairs.filter(([, value]) => value !== undefined && value !== null && value !== '');
  return html`<dl class="facts">
    ${shown.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}
