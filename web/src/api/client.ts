import createClient from 'openapi-fetch';
import { problemFrom } from './problem';
import type { components, paths } from './schema';

export const apiBase = '/api/v1';

export const api = createClient<paths>({
  baseUrl: new URL(apiBase, window.location.href).href,
  credentials: 'same-origin',
  // Looked up with every request, so that tests can stand in for it.
  fetch: (request) => globalThis.fetch(request),
});

type Schemas = components['schemas'];
export type Me = Schemas['Me'];
export type Target = Schemas['Target'];
export type Session = Schemas['Session'];
export type Recording = Schemas['Recording'];
export type PlayerIndex = Schemas['PlayerIndex'];
export type RecordingEvent = Schemas['RecordingEvent'];
export type Verification = Schemas['Verification'];

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The body of a good answer; throws ProblemError for any other. */
export function unwrap<T>(answer: Answer<T>): T {
  if (!answer.response.ok) throw problemFrom(answer.response, answer.error);
  return answer.data as T;
}
