import { infiniteQueryOptions, queryOptions, useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys, recordingQuery } from './queries';
import type { components } from './schema';

type Schemas = components['schemas'];
export type ReviewState = Schemas['ReviewState'];
export type RecordingReview = Schemas['RecordingReview'];
export type RecordingNote = Schemas['RecordingNote'];
export type RecordingHit = Schemas['RecordingHit'];
export type FoundRecording = Schemas['FoundRecording'];
export type Timeline = Schemas['RecordingTimeline'];
export type TextKind = Schemas['TextKind'];

/** What can be looked for, as people call it. */
export const textKinds: { value: TextKind; label: string }[] = [
  { value: 'line', label: 'Typed' },
  { value: 'clipboard', label: 'Clipboard' },
  { value: 'title', label: 'Window titles' },
  { value: 'screen', label: 'Text on the screen' },
  { value: 'alert', label: 'Alerts' },
  { value: 'message', label: 'Messages' },
  { value: 'justification', label: 'Justifications' },
];

export const reviewStates: { value: ReviewState; label: string }[] = [
  { value: 'to_do', label: 'To review' },
  { value: 'seen', label: 'Seen' },
  { value: 'flagged', label: 'Flagged' },
];

export interface SearchFilter {
  q: string;
  kind: TextKind[];
  names?: string;
  since?: string;
  until?: string;
}

/** Fewer characters in a row lead nowhere. */
export const minSearch = 3;

/** Texts in all recordings, the newest first. */
export const searchQuery = (filter: SearchFilter) =>
  infiniteQueryOptions({
    queryKey: [...keys.recordings, 'search', filter],
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam, signal }) =>
      unwrap(
        await api.GET('/recordings/search', {
          params: { query: { ...filter, limit: 20, ...(pageParam ? { before: pageParam } : {}) } },
          signal,
        }),
      ),
    getNextPageParam: (last) => last.next ?? undefined,
    enabled: filter.q.split(/[\s"]+/).some((word) => Array.from(word).length >= minSearch),
  });

/** Hits shown of one recording: a page of the gateway's. */
const hitPage = 1000;

/** Texts in one recording, in order. */
export const hitsQuery = (session: string, q: string, kind: TextKind[], live: boolean) =>
  queryOptions({
    queryKey: [...keys.recordings, 'hits', session, q, kind],
    queryFn: async ({ signal }) =>
      unwrap(
        await api.GET('/recordings/{session}/search', {
          params: { path: { session }, query: { q, kind, limit: hitPage } },
          signal,
        }),
      ),
    enabled: q.trim() !== '',
    refetchInterval: live ? 5000 : false,
    placeholderData: (before) => before,
  });

export const timelineQuery = (session: string, live: boolean) =>
  queryOptions({
    queryKey: [...keys.recordings, 'timeline', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}/timeline', { params: { path: { session } }, signal })),
    refetchInterval: live ? 5000 : false,
    structuralSharing: false,
  });

export const reviewQuery = (session: string) =>
  queryOptions({
    queryKey: [...keys.recordings, 'review', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}/review', { params: { path: { session } }, signal })),
  });

export const notesQuery = (session: string) =>
  queryOptions({
    queryKey: [...keys.recordings, 'notes', session],
    queryFn: async ({ signal }) =>
      unwrap(await api.GET('/recordings/{session}/notes', { params: { path: { session } }, signal })).notes,
    refetchInterval: 30_000,
  });

/** The next older recording that nobody has reviewed. */
export const nextToReviewQuery = (before: string) =>
  queryOptions({
    queryKey: [...keys.recordings, 'next-to-review', before],
    queryFn: async ({ signal }) =>
      unwrap(
        await api.GET('/recordings', { params: { query: { review: 'to_do', before, limit: 1 } }, signal }),
      ).recordings[0] ?? null,
  });

export function useSetReview(session: string) {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async (body: { state: ReviewState; comment?: string }) =>
      unwrap(await api.PUT('/recordings/{session}/review', { params: { path: { session } }, body })),
    onSuccess: (data) => {
      client.setQueryData(reviewQuery(session).queryKey, data);
      void client.invalidateQueries({ queryKey: recordingQuery(session).queryKey });
      void client.invalidateQueries({ queryKey: [...keys.recordings, 'list'] });
      void client.invalidateQueries({ queryKey: [...keys.recordings, 'next-to-review'] });
    },
  });
}

/** Adds a note, changes it or takes it away. */
export function useNotes(session: string) {
  const client = useQueryClient();
  const onSettled = () => client.invalidateQueries({ queryKey: notesQuery(session).queryKey });
  const add = useMutation({
    mutationFn: async (body: { t_ms: number; text: string }) =>
      unwrap(await api.POST('/recordings/{session}/notes', { params: { path: { session } }, body })),
    onSettled,
  });
  const change = useMutation({
    mutationFn: async ({ note, text }: { note: string; text: string }) =>
      unwrap(
        await api.PATCH('/recordings/{session}/notes/{note}', {
          params: { path: { session, note } },
          body: { text },
        }),
      ),
    onSettled,
  });
  const remove = useMutation({
    mutationFn: async (note: string) =>
      unwrap(await api.DELETE('/recordings/{session}/notes/{note}', { params: { path: { session, note } } })),
    onSettled,
  });
  return { add, change, remove };
}
