// Reading from the API into a page: one thing, or a list page by page.
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { type ApiError, asApiError, get } from './api.ts';
import type { Page } from './types.ts';

export interface Loaded<T> {
  data: T | undefined;
  error: ApiError | undefined;
  loading: boolean;
  reload: () => void;
  setData: (change: (data: T) => T) => void;
}

/** Reads `path` now, when it changes, and on reload(). An undefined path reads nothing. */
export function useLoad<T>(path: string | undefined): Loaded<T> {
  const [data, setAll] = useState<T | undefined>();
  const [error, setError] = useState<ApiError | undefined>();
  const [loading, setLoading] = useState(path !== undefined);
  const turn = useRef(0);

  const read = useCallback(() => {
    if (path === undefined) return;
    turn.current += 1;
    const mine = turn.current;
    setLoading(true);
    get<T>(path)
      .then((answer) => {
        if (mine !== turn.current) return;
        setAll(answer);
        setError(undefined);
      })
      .catch((failure: unknown) => mine === turn.current && setError(asApiError(failure)))
      .finally(() => mine === turn.current && setLoading(false));
  }, [path]);

  useEffect(() => {
    setAll(undefined);
    setError(undefined);
    read();
    return () => {
      turn.current += 1; // An answer that comes after leaving belongs to nobody.
    };
  }, [read]);

  const setData = useCallback(
    (change: (data: T) => T) => setAll((now) => (now === undefined ? now : change(now))),
    [],
  );
  return { data, error, loading, reload: read, setData };
}

export interface Listed<T> {
  items: T[];
  next: string | null;
  error: ApiError | undefined;
  loading: boolean;
  loadingMore: boolean;
  trimmed: boolean;
  more: () => void;
  reload: () => void;
  change: (change: (items: T[]) => T[]) => void;
}

const PAGE_SIZE = 50;
/** More rows than this make a cheap phone stutter; older pages then push the first ones out. */
const MOST_ROWS = 300;

/** A list of the API by cursor. Changing `path` or `query` starts again from the newest. */
export function useList<T>(path: string, query: Record<string, string | undefined> = {}): Listed<T> {
  const [items, setItems] = useState<T[]>([]);
  const [next, setNext] = useState<string | null>(null);
  const [error, setError] = useState<ApiError | undefined>();
  const [loading, setLoading] = useState(true);
  const [loadingMore, setLoadingMore] = useState(false);
  const [trimmed, setTrimmed] = useState(false);
  const turn = useRef(0);
  const key = JSON.stringify([path, query]);

  const read = useCallback(
    (cursor: string | null) => {
      turn.current += 1;
      const mine = turn.current;
      const [from, filters] = JSON.parse(key) as [string, Record<string, string>];
      (cursor ? setLoadingMore : setLoading)(true);
      get<Page<T>>(from, { ...filters, limit: PAGE_SIZE, cursor })
        .then((page) => {
          if (mine !== turn.current) return;
          setError(undefined);
          setNext(page.next);
          if (!cursor) setTrimmed(false);
          setItems((now) => {
            const all = cursor ? [...now, ...page.items] : page.items;
            if (all.length > MOST_ROWS) setTrimmed(true);
            return all.slice(-MOST_ROWS);
          });
        })
        .catch((failure: unknown) => mine === turn.current && setError(asApiError(failure)))
        .finally(() => {
          if (mine !== turn.current) return;
          setLoading(false);
          setLoadingMore(false);
        });
    },
    [key],
  );

  useEffect(() => {
    setItems([]);
    setNext(null);
    setError(undefined);
    read(null);
    return () => {
      turn.current += 1;
    };
  }, [read]);

  const reload = useCallback(() => read(null), [read]);
  const more = useCallback(() => next && read(next), [read, next]);
  return { items, next, error, loading, loadingMore, trimmed, more, reload, change: setItems };
}
