import { apiBase } from '../api/client';
import { problemOf } from '../api/problem';
import type { FetchFile } from './loader';

/** Fetches files of one recording. */
export function recordingFiles(session: string): FetchFile {
  return async (name, signal) => {
    const response = await fetch(`${apiBase}/recordings/${session}/files/${name}`, {
      signal,
      credentials: 'same-origin',
    });
    if (!response.ok) throw await problemOf(response);
    return new Uint8Array(await response.arrayBuffer());
  };
}
