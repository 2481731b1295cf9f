// Which build of Karibu this is.

declare const KARIBU_VERSION: string | undefined;

/** `0.1.0+1a2b3c4` (package version, commit; `.modified` when the tree differed) in a build, `source` when run from source. */
export const version: string = typeof KARIBU_VERSION === 'string' ? KARIBU_VERSION : 'source';
