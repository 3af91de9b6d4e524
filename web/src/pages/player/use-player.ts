import { useQueryClient } from '@tanstack/react-query';
import { useCallback, useEffect, useState } from 'react';
import type { PlayerIndex } from '../../api/client';
import { keys } from '../../api/queries';
import { recordingFiles } from '../../player/file';
import { Player } from '../../player/player';

/** Runs a player for as long as the video element that `mount` is the ref of is on the page. */
export function usePlayer(session: string, index: PlayerIndex | undefined) {
  const client = useQueryClient();
  const [player, setPlayer] = useState<Player | null>(null);
  const mount = useCallback(
    (video: HTMLVideoElement | null) => {
      if (!video) return;
      const made = new Player(video, recordingFiles(session), () => client.setQueryData(keys.me, null));
      setPlayer(made);
      return () => made.dispose();
    },
    [client, session],
  );
  useEffect(() => {
    if (player && index) player.setIndex(index);
  }, [player, index]);
  return { player, mount };
}
