import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import type { PlayerIndex } from '../../api/client';
import { keys } from '../../api/queries';
import { recordingFiles } from '../../player/file';
import { Player } from '../../player/player';

/**
 * Runs a player for as long as the video element that `mount` is the ref of is on the page. It begins at `startMs`,
 * which must not change from one rendering to the next, or at the beginning.
 */
export function usePlayer(session: string, index: PlayerIndex | undefined, startMs: number | null) {
  const client = useQueryClient();
  const [player, setPlayer] = useState<Player | null>(null);
  const mount = useCallback(
    (video: HTMLVideoElement | null) => {
      if (!video) return;
      const made = new Player(video, recordingFiles(session), () => client.setQueryData(keys.me, null));
      if (startMs !== null) made.seek(startMs);
      setPlayer(made);
      return () => made.dispose();
    },
    [client, session, startMs],
  );
  useEffect(() => {
    if (player && index) player.setIndex(index);
  }, [player, index]);
  return { player, mount };
}
