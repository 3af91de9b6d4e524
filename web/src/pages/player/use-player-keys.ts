import { useEffect } from 'react';
import { rates, type Player } from '../../player/player';

const hop = 5000;
const longHop = 30_000;

/** The next rate in a direction, or the same at the end of the range. */
export function nextRate(rate: number, direction: 1 | -1): number {
  const at = rates.findIndex((r) => r >= rate);
  return rates[Math.min(rates.length - 1, Math.max(0, (at < 0 ? rates.length - 1 : at) + direction))] ?? rate;
}

/** Space, arrows, [ and ], comma and full stop, S and F, unless something else takes the keys. */
export function usePlayerKeys(player: Player | null, onFullScreen: () => void): void {
  useEffect(() => {
    if (!player) return;
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (target.closest('input, textarea, [role="menu"], [role="dialog"]')) return;
      const onButton = target.closest('button, a') !== null;
      const state = player.store.get();
      const act = (): boolean => {
        switch (event.key) {
          case ' ':
          case 'k':
            if (event.key === ' ' && onButton) return false;
            player.toggle();
            return true;
          case 'ArrowLeft':
          case 'ArrowRight': {
            const by = (event.shiftKey ? longHop : hop) * (event.key === 'ArrowLeft' ? -1 : 1);
            player.seek(state.timeMs + by);
            return true;
          }
          case '[':
            player.setRate(nextRate(state.rate, -1));
            return true;
          case ']':
            player.setRate(nextRate(state.rate, 1));
            return true;
          case ',':
            void player.step(-1);
            return true;
          case '.':
            void player.step(1);
            return true;
          case 's':
            player.setSkipIdle(!state.skipIdle);
            return true;
          case 'f':
            onFullScreen();
            return true;
          default:
            return false;
        }
      };
      if (act()) event.preventDefault();
    };
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [player, onFullScreen]);
}
