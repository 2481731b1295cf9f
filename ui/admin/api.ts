// Talking to /api/v1 from the admin pages.

/** What went wrong, in words for a person. `status` 0 means the server was not reached. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly hint: string | undefined;
  readonly fields: Record<string, string>;

  constructor(status: number, code: string, detail: string, hint?: string, fields?: Record<string, string>) {
    super(detail);
    this.status = status;
    this.code = code;
    this.hint = hint;
    this.fields = fields ?? {};
  }
}

type Query = Record<string, string | number | null | undefined>;

let onSignedOut: () => void = () => undefined;

/** Called when the server says the session is over, whatever was being asked. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** `/api/v1` + path with its query; empty values are left out. */
export function apiUrl(path: string, query: Query = {}): string {
  const pairs = Object.entries(query).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const search = new URLSearchParams(pairs.map(([name, value]) => [name, String(value)])).toString();
  return `/api/v1${path}${search ? `?${search}` : ''}`;
}

async function request<T>(
  method: string,
  url: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      credentials: 'same-origin',
      headers: {
        accept: 'application/json',
        ...(method === 'GET' ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body: method === 'GET' ? undefined : JSON.stringify(body ?? {}),
    });
  } catch {
    // The browser's own words ("Failed to fetch") help nobody, and it has no others.
    throw new ApiError(0, 'unavailable', 'Karibu did not answer.', 'Check that this device reaches the box.');
  }
  const text = await response.text();
  const answer = readJson(text);
  if (response.ok) return answer as T;
  const problem = (answer ?? {}) as {
    code?: string;
    detail?: string;
    title?: string;
    hint?: string;
    fields?: Record<string, string>;
  };
  if (response.status === 401 && !url.includes('/auth/')) onSignedOut();
  throw new ApiError(
    response.status,
    problem.code ?? 'internal',
    problem.detail ?? problem.title ?? `The server answered ${response.status}.`,
    problem.hint ??
      (response.status >= 500 ? 'Try again. If it stays, look at the log of the box.' : undefined),
    problem.fields,
  );
}

function readJson(text: string): unknown {
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // A proxy's error page: the status says enough.
  }
}

export function get<T>(path: string, query?: Query): Promise<T> {
  return request<T>('GET', apiUrl(path, query));
}

export function post<T>(path: string, body?: unknown, headers?: Record<string, string>): Promise<T> {
  return request<T>('POST', apiUrl(path), body, headers);
}

export function patch<T>(path: string, body: unknown): Promise<T> {
  return request<T>('PATCH', apiUrl(path), body);
}

export function put<T>(path: string, body: unknown): Promise<T> {
  return request<T>('PUT', apiUrl(path), body);
}

export function del<T>(path: string): Promise<T> {
  return request<T>('DELETE', apiUrl(path));
}

/** Whatever was thrown, as an ApiError; a bug in the page keeps its own message. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  return new ApiError(
    -1,
    'internal',
    error instanceof Error ? error.message : String(error),
    'Reload the page.',
  );
}
