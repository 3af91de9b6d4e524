import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import { keys, sessionQuery } from '../../api/queries';
import { isUnauthorized } from '../../api/problem';
import { detectPlatform } from '../../viewer/keyboard';
import type { Role } from '../../viewer/protocol';
import { Stage } from '../../viewer/stage';
import { Viewer } from '../../viewer/viewer';
import { loadDisplayMode } from './display-mode';

export interface Desktop {
  viewer: Viewer;
  stage: Stage;
}

/**
 * Runs a viewer and its stage for as long as the element that `mount` is the ref of is on the page. The engine
 * lives outside of React; the page reads its store.
 */
export function useDesktop(session: string, role: Role) {
  const client = useQueryClient();
  const [desktop, setDesktop] = useState<Desktop | null>(null);

  const mount = useCallback(
    (element: HTMLDivElement | null) => {
      if (!element) return;
      const probe = async () => {
        try {
          const s = await client.query({ ...sessionQuery(session), staleTime: 0, retry: false });
          return {
            ended: s.state === 'ended',
            code: s.end?.code ?? 'ended',
            message: s.end?.message ?? 'The session has ended.',
          };
        } catch (error) {
          if (isUnauthorized(error)) client.setQueryData(keys.me, null);
          throw error;
        }
      };
      const viewer: Viewer = new Viewer(session, role, probe, {
        stream: (stream) => stage.play(stream),
        cursor: (cursor) => stage.showCursor(cursor),
        clipboard: (text) => stage.remoteClipboard(text),
        patch: (message) => stage.showPatch(message),
        bell: () => element.animate({ filter: ['brightness(1.25)', 'none'] }, 180),
      });
      const stage: Stage = new Stage(viewer, element, detectPlatform(navigator));
      stage.setMode(loadDisplayMode());
      stage.focus();
      const unsubscribe = viewer.store.subscribe(() => stage.relayout());
      viewer.start();
      setDesktop({ viewer, stage });
      return () => {
        unsubscribe();
        viewer.stop();
        stage.dispose();
      };
    },
    [client, session, role],
  );

  return { desktop, mount };
}
