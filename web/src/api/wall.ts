import { queryOptions } from '@tanstack/react-query';
import { api } from './client';
import { problemFrom, toProblem } from './problem';

/** A session's picture: the same tag, the same bytes. */
export interface Thumbnail {
  tag: string;
  blob: Blob;
}

/** How often a picture is asked for: the more there are, the more rarely, so that a wall costs about the same. */
export function thumbnailEvery(shown: number): number {
  if (shown <= 6) return 2000;
  return shown <= 20 ? 3000 : 5000;
}

/**
 * What a session's desktop looks like; null while it has drawn nothing. The browser asks with the ETag it has, and an
 * unchanged picture stays the same object, so that nothing is drawn again.
 */
export const thumbnailQuery = (session: string, everyMs: number) => {
  const queryKey = ['thumbnail', session];
  return queryOptions({
    queryKey,
    queryFn: async ({ signal, client }): Promise<Thumbnail | null> => {
      const answer = await api.GET('/sessions/{session}/thumbnail', {
        params: { path: { session } },
        parseAs: 'blob',
        cache: 'no-cache',
        signal,
      });
      if (!answer.response.ok) {
        const problem = problemFrom(answer.response, answer.error);
        if (toProblem(problem).code === 'no_thumbnail') return null;
        throw problem;
      }
      const tag = answer.response.headers.get('ETag') ?? '';
      const before = client.getQueryData<Thumbnail | null>(queryKey);
      return before?.tag === tag ? before : { tag, blob: answer.data as unknown as Blob };
    },
    refetchInterval: everyMs,
    structuralSharing: false,
    retry: false,
    gcTime: 60_000,
  });
};
