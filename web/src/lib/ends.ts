/** Codes of ends that somebody chose, on either side (internal/api/openapi.yaml, End), as opposed to failures. */
const chosen = new Set([
  'user_disconnected',
  'user_terminated',
  'terminated',
  'shutdown',
  'orphaned',
  'target_ended',
  'window_closed',
  'max_duration',
  'session_limit',
  'idle',
  'rule',
]);

export function endedOnPurpose(code: string): boolean {
  return chosen.has(code);
}
