// The one place that binds htm's templates to preact.
import type { ComponentChildren, VNode } from 'preact';

export { html } from 'htm/preact';
export type { ComponentChildren, VNode };
