// Which page the address bar names.
import { useEffect, useState } from 'preact/hooks';

export interface Place {
  path: string;
  segments: string[];
  query: URLSearchParams;
}

const listeners = new Set<() => void>();

export function readPlace(): Place {
  const path = window.location.pathname;
  return {
    path,
    segments: path.split('/').filter(Boolean),
    query: new URLSearchParams(window.location.search),
  };
}

function announce(): void {
  for (const listener of listeners) listener();
}

/** Opens `path` (with its query) as if a link had been followed. */
export function go(path: string, how: { replace?: boolean } = {}): void {
  if (how.replace) window.history.replaceState(null, '', path);
  else window.history.pushState(null, '', path);
  announce();
  if (!how.replace) window.scrollTo(0, 0);
}

/** Changes filters in the address without a new history entry; an empty value removes its name. */
export function setQuery(changes: Record<string, string | undefined>): void {
  const { path, query } = readPlace();
  for (const [name, value] of Object.entries(changes)) {
    if (value) query.set(name, value);
    else query.delete(name);
  }
  const search = query.toString();
  go(search ? `${path}?${search}` : path, { replace: true });
}

/** Follows plain clicks on links of this app without loading the page again. */
export function followLinks(): void {
  window.addEventListener('popstate', announce);
  document.addEventListener('click', (event) => {
    const link = event.target instanceof Element ? event.target.closest('a') : null;
    if (!link || event.defaultPrevented || event.button !== 0) return;
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    if (link.target || link.hasAttribute('download') || link.origin !== window.location.origin) return;
    if (/^\/(api|assets|healthz)\b/.test(link.pathname)) return;
    event.preventDefault();
    go(link.pathname + link.search);
  });
}

export function usePlace(): Place {
  const [place, setPlace] = useState(readPlace);
  useEffect(() => {
    const update = () => setPlace(readPlace());
    listeners.add(update);
    return () => void listeners.delete(update);
  }, []);
  return place;
}
