/**
 * Where to go after signing in: a path of this console, never another site. `//host` and `/\host` are other
 * sites to a browser.
 */
export function nextPath(next: string | null): string {
  if (!next?.startsWith('/') || /^\/[/\\]/.test(next) || next.startsWith('/sign-in')) return '/targets';
  return next;
}
