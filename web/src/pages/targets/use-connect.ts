import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from 'react-router';
import { api, unwrap } from '../../api/client';
import { keys, sessionQuery } from '../../api/queries';
import { desktopSizeWish } from '../../viewer/geometry';
import { loadDisplayMode } from '../desktop/display-mode';

/** Where to connect to, and what to call it meanwhile. */
export interface Destination {
  id: string;
  name: string;
  protocol?: string | undefined;
  address?: string | undefined;
  /** What a policy wants to know. */
  reason?: string | undefined;
  ticket?: string | undefined;
  /** Name or id of the account; needed where there are several. */
  account?: string | undefined;
}

/** Opens a session and goes to its desktop. */
export function useConnect() {
  const client = useQueryClient();
  const navigate = useNavigate();
  return useMutation({
    mutationFn: async (target: Destination) => {
      const wish =
        loadDisplayMode() === 'resize'
          ? desktopSizeWish({ width: window.innerWidth, height: window.innerHeight }, window.devicePixelRatio)
          : {};
      return unwrap(
        await api.POST('/sessions', {
          body: {
            target_id: target.id,
            ...wish,
            ...(target.account ? { account: target.account } : {}),
            ...(target.reason ? { reason: target.reason } : {}),
            ...(target.ticket ? { ticket: target.ticket } : {}),
          },
        }),
      );
    },
    onSuccess: async (session) => {
      client.setQueryData(sessionQuery(session.id).queryKey, session);
      void client.invalidateQueries({ queryKey: [...keys.sessions, 'running'] });
      await navigate(`/sessions/${session.id}`);
    },
  });
}
