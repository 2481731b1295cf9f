// Lists: search and filter on top, rows that fold into cards on a phone, more at the end.
import { useEffect, useRef, useState } from 'preact/hooks';
import { type ComponentChildren, html } from '../../shared/html.ts';
import type { Listed } from '../load.ts';
import { Button, Empty, Failure, Loading } from './basics.ts';
import { Icon, type IconName } from './icon.ts';

/** Where a cell goes on a phone: first line left/right, second line left/right, third line, or nowhere. */
type Spot = 'main' | 'end' | 'sub' | 'sub-end' | 'foot' | 'none';

export interface Column<T> {
  label: string;
  at: Spot;
  cell: (row: T) => ComponentChildren;
  /** Right-aligned figures. */
  num?: boolean;
  /** Takes what is left of the width. */
  grow?: boolean;
}

interface TableProps<T> {
  rows: T[];
  columns: Column<T>[];
  id: (row: T) => string;
  /** Where a row leads; its first cell holds the link. */
  href?: (row: T) => string;
  label: string;
}

export function Table<T>({ rows, columns, id, href, label }: TableProps<T>) {
  return html`<table class=${`rows ${href ? 'linked' : ''}`} aria-label=${label}>
    <thead><tr>${columns.map(
      (column) => html`<th key=${column.label} scope="col" class=${cellClass(column)}>
    ${column.label}</th>`,
    )}</tr></thead>
    <tbody>
      ${rows.map(
        (row) => html`<tr key=${id(row)}>
          ${columns.map((column) => {
            const inside = column.cell(row);
            return html`<td key=${column.label} class=${cellClass(column)}>
              ${
                href && column.at === 'main'
                  ? html`<a class="row-link" href=${href(row)}>${inside}
              </a>`
                  : inside
              }
            </td>`;
          })}
        </tr>`,
      )}
    </tbody>
  </table>`;
}

function cellClass<T>(column: Column<T>): string {
  return `at-${column.at}${column.num ? ' num' : ''}${column.grow ? ' grow' : ''}`;
}

const PAUSE_MS = 250;

/** Searches after a short pause. `/` puts the cursor here from anywhere on the page. */
export function Search(props: { value: string; placeholder: string; onSearch: (text: string) => void }) {
  const [typed, setTyped] = useState(props.value);
  const timer = useRef(0);
  useEffect(() => setTyped(props.value), [props.value]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const later = (text: string) => {
    setTyped(text);
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => props.onSearch(text.trim()), PAUSE_MS);
  };
  return html`<form class="search" role="search" onSubmit=${(event: Event) => {
    event.preventDefault();
    window.clearTimeout(timer.current);
    props.onSearch(typed.trim());
  }}>
    <${Icon} name="search" />
    <input class="input" type="search" data-search value=${typed} placeholder=${props.placeholder}
      aria-label=${props.placeholder}
      autocomplete="off" autocapitalize="off" spellcheck=${false} enterkeyhint="search"
      onInput=${(event: InputEvent) => later((event.target as HTMLInputElement).value)} />
    <kbd aria-hidden="true">/</kbd>
  </form>`;
}

/** A row of choices of which one is on; the first is usually everything. */
export function Segments(props: {
  label: string;
  value: string;
  options: [value: string, label: string][];
  onPick: (value: string) => void;
}) {
  const row = useRef<HTMLDivElement>(null);
  // On a phone the row is wider than the page: what is on must be seen.
  useEffect(() => {
    const on = row.current?.querySelector<HTMLElement>('[aria-pressed="true"]');
    if (row.current && on)
      row.current.scrollLeft = on.offsetLeft - row.current.clientWidth / 2 + on.offsetWidth / 2;
  }, [props.value]);
  return html`<div class="segments" role="group" aria-label=${props.label} ref=${row}>
    ${props.options.map(
      ([value, label]) =>
        html`<button key=${value} type="button" aria-pressed=${value === props.value}
          onClick=${() => props.onPick(value)}>${label}</button>`,
    )}
  </div>`;
}

export function Toolbar({ children }: { children: ComponentChildren }) {
  return html`<div class="toolbar">${children}</div>`;
}

interface ListingProps<T> extends Omit<TableProps<T>, 'rows'> {
  list: Listed<T>;
  icon: IconName;
  /** Nothing exists yet. */
  empty: ComponentChildren;
  emptyTitle: string;
  /** A search or filter is on, so nothing found is not the same as nothing there. */
  filtered: boolean;
  onClear?: () => void;
  /** What the same search may find where it looks further. */
  wider?: { label: string; onPick: () => void } | undefined;
}

/** A list in whatever state it is: loading, failed, empty, nothing found, or rows with "Load more". */
export function Listing<T>(props: ListingProps<T>) {
  const { list } = props;
  if (list.items.length === 0) {
    if (list.error)
      return html`<div class="card"><${Failure} error=${list.error} onRetry=${list.reload} /></div>`;
    if (list.loading) return html`<div class="card"><${Loading} /></div>`;
    if (props.filtered) {
      return html`<div class="card"><${Empty} icon="search" title="Nothing matches.">
        ${props.wider && html`<${Button} onClick=${props.wider.onPick}>${props.wider.label}<//>`}
        ${props.onClear && html`<${Button} onClick=${props.onClear}>Clear search and filters<//>`}
      <//></div>`;
    }
    return html`<div class="card"><${Empty} icon=${props.icon} title=${props.emptyTitle}>${props.empty}<//>
      </div>`;
  }
  return html`<div class=${`card flush ${list.loading ? 'stale' : ''}`}>
    ${
      list.trimmed &&
      html`<div class="trimmed muted">Older rows are shown. <button type="button" class="link"
      onClick=${list.reload}>Back to the newest</button></div>`
    }
    <${Table} rows=${list.items} columns=${props.columns} id=${props.id} href=${props.href}
      label=${props.label} />
    ${list.error && html`<${Failure} error=${list.error} onRetry=${list.next ? list.more : list.reload} />`}
    ${
      list.next &&
      !list.error &&
      html`<div class="more">
    <${Button} busy=${list.loadingMore} onClick=${list.more}>Load more<//></div>`
    }
  </div>`;
}
