// The page that brings a returning phone online.
import { accessPart } from './access.ts';
import { page, speaker } from './layout.ts';
import type { ContinueView } from './types.ts';

/** `POST /continue`. */
export function continuePage(view: ContinueView): string {
  const t = speaker(view.lang);
  return page(view, {
    title: t('connecting_continue_title'),
    path: '/status',
    back: true,
    body: accessPart(view, view.access, 'continue'),
  });
}
