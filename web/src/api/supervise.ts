import { useMutation, useQueryClient } from '@tanstack/react-query';
import { api, unwrap } from './client';
import { keys } from './queries';

// What supervisors do to somebody's running session. How it stands then comes by the viewer's data channel.

const at = (session: string) => ({ path: { session } });

function useSessionMutation<T>(mutationFn: (variables: T) => Promise<unknown>) {
  const client = useQueryClient();
  return useMutation({
    mutationFn,
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
}

export const useFreeze = () =>
  useSessionMutation(async ({ session, reason }: { session: string; reason: string }) =>
    unwrap(await api.POST('/sessions/{session}/freeze', { params: at(session), body: { reason } })),
  );

export const useResume = () =>
  useSessionMutation(async (session: string) =>
    unwrap(await api.POST('/sessions/{session}/resume', { params: at(session) })),
  );

/** fromOther takes control from another supervisor, too. */
export const useTakeControl = () =>
  useSessionMutation(
    async ({ session, viewer, fromOther }: { session: string; viewer: string; fromOther: boolean }) =>
      unwrap(
        await api.PUT('/sessions/{session}/control', {
          params: at(session),
          body: { viewer, from_other: fromOther },
        }),
      ),
  );

export const useReleaseControl = () =>
  useSessionMutation(async (session: string) =>
    unwrap(await api.DELETE('/sessions/{session}/control', { params: at(session) })),
  );

/** What somebody says to a rule that asks why: a reason, or that it is not done. */
export type Answer = { session: string; question: string; viewer?: string } & (
  { reason: string } | { refuse: true }
);

export function useAnswer() {
  const client = useQueryClient();
  return useMutation({
    mutationFn: async ({ session, ...body }: Answer) =>
      unwrap(await api.POST('/sessions/{session}/answer', { params: at(session), body })),
    onSettled: () => client.invalidateQueries({ queryKey: keys.sessions }),
  });
}

export const useSendMessage = () =>
  useSessionMutation(async ({ session, text }: { session: string; text: string }) =>
    unwrap(await api.POST('/sessions/{session}/messages', { params: at(session), body: { text } })),
  );
